"""The command `diwang`: the hub, the edge agent, and the demonstration."""

import typer

from diwang import edge_commands, hub_commands

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Diwang (地网): edge gateway and device hub.")
app.add_typer(edge_commands.app, name="edge")
app.add_typer(hub_commands.app, name="hub")
