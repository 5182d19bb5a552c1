"""`diwang edge`: the agent of one box."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from diwang.camera_commands import cameras
from diwang.doctor_commands import doctor, support
from diwang.enrolment_commands import enrol, reset
from diwang.installer_commands import install, scan
from diwang.update_commands import slots, update
from protocol.errors import DiwangError

app = typer.Typer(no_args_is_help=True, help="The edge agent: devices on one side, the hub on the other.")

app.command()(cameras)
app.command()(doctor)
app.command()(support)
app.command()(enrol)
app.command()(reset)
app.command()(scan)
app.command()(install)
app.command()(update)
app.command()(slots)


@app.command()
def run(
    config: Annotated[Path, typer.Option(help="TOML file of the box", exists=True, dir_okay=False)],
    *,
    check: Annotated[bool, typer.Option("--check", help="Only check the file and its drivers' options")] = False,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error")] = "info",
) -> None:
    """Run the agent until SIGTERM or Ctrl-C."""
    arguments = ["--config", str(config), "--log-level", log_level, *(["--check"] if check else [])]
    # The agent takes this process over: what only the command line needs would cost it a fifth of its memory.
    os.execv(sys.executable, [sys.executable, "-m", "edge.process", *arguments])  # noqa: S606 - our own program


@app.command()
def quarantine(
    config: Annotated[Path, typer.Option(help="TOML file of the box", exists=True, dir_okay=False)],
    *,
    show: Annotated[
        int | None, typer.Option(help="Write the bytes of the one at this place to standard output")
    ] = None,
) -> None:
    """List what the box could not deliver and why; the agent must not run meanwhile."""
    from edge import config as configuration  # noqa: PLC0415 - `run` must not load what it hands over to
    from edge.outbox import store_file  # noqa: PLC0415 - as above
    from edge.quarantine import read  # noqa: PLC0415 - as above

    try:
        for each in read(store_file(configuration.load_identity(config).data)):
            if show is None:
                typer.echo(f"{each.place}  {each.kind}  {each.id or '-'}  {len(each.payload)} bytes  {each.reason}")
            elif show == each.place:
                sys.stdout.buffer.write(each.payload)
    except DiwangError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
