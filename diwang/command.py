"""The command `diwang`: the hub, the edge agent, and the demonstration."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from diwang import edge_commands, hub_commands, verify_command

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # a plain trace shows no values, and so no secrets
    help="Diwang (地网): edge gateway and device hub.",
)
app.add_typer(edge_commands.app, name="edge")
app.add_typer(hub_commands.app, name="hub")
app.command("verify")(verify_command.verify)


@app.command()
def demo(
    data: Annotated[Path, typer.Option(help="Folder of everything the demonstration keeps", file_okay=False)] = Path(
        "var/demo"
    ),
) -> None:
    """Run a whole district on this machine: broker, hub, a box with sample devices, an inspector's end."""
    from diwang.demo import run  # noqa: PLC0415 - a box does not have what it needs

    sys.exit(asyncio.run(run.run(data)))
