"""`diwang edge`: the agent of one box."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="The edge agent: devices on one side, the hub on the other.")


@app.callback()
def edge() -> None:
    """Keep `run` a subcommand, however many there are."""


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
