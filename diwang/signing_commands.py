"""`diwang hub releases` and `diwang hub signing`: what boxes run is signed on this machine, also while the hub runs."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from protocol.clock import SystemClock
from protocol.errors import DiwangError

if TYPE_CHECKING:
    from hub.config import HubConfig

releases = typer.Typer(no_args_is_help=True, help="Releases of the agent that boxes may be told to run.")
signing = typer.Typer(no_args_is_help=True, help="The keys that sign what boxes run.")

Data = Annotated[Path, typer.Option(help="Folder of everything the hub keeps", file_okay=False)]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="TOML file of settings", exists=True, dir_okay=False)]


@releases.command("add")
def add_release(
    version: Annotated[str, typer.Argument(help="Version of the agent")],
    wheelhouse: Annotated[
        Path, typer.Argument(help="Folder of its wheels, with requirements.lock", exists=True, file_okay=False)
    ],
    data: Data,
    config: ConfigFile = None,
) -> None:
    """Sign a release. The key of `targets` must be on this machine."""
    from hub.configs import offline  # noqa: PLC0415 - a box has none of it installed

    try:
        count = asyncio.run(offline.add_release(_settings(data, config), SystemClock(), version, wheelhouse))
    except DiwangError as error:
        _give_up(error)
    typer.echo(f"release {version} is signed: {count} files")


@releases.command("list")
def list_releases(data: Data, config: ConfigFile = None) -> None:
    """Print every release that is signed."""
    from hub.configs import offline  # noqa: PLC0415 - as above

    try:
        for version in asyncio.run(offline.releases(_settings(data, config), SystemClock())):
            typer.echo(version)
    except DiwangError as error:
        _give_up(error)


@signing.command("exchange")
def exchange_key(
    role: Annotated[str, typer.Argument(help="root, targets, snapshot, timestamp or configs")],
    data: Data,
    config: ConfigFile = None,
) -> None:
    """Give a role a new key, and delete the old one. Boxes follow by themselves."""
    from hub.configs import offline  # noqa: PLC0415 - as above

    try:
        asyncio.run(offline.exchange(_settings(data, config), SystemClock(), role))
    except DiwangError as error:
        _give_up(error)
    typer.echo(f"{role} has a new key")


def _settings(data: Path, file: Path | None) -> "HubConfig":
    from hub.config import load  # noqa: PLC0415 - as above

    return load(file, {"data": data})


def _give_up(error: DiwangError) -> NoReturn:
    typer.echo(str(error), err=True)
    raise typer.Exit(1) from error
