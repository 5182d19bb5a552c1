"""`diwang hub`: run the hub, set it up, and make, list and revoke its API keys on the spot.

What the hub needs is imported by the commands that need it: a box has none of it installed.
"""

import asyncio
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from diwang import signing_commands
from protocol.clock import SystemClock
from protocol.errors import DiwangError

if TYPE_CHECKING:
    from hub.config import HubConfig

app = typer.Typer(no_args_is_help=True, help="The hub: takes what gateways report, and tells people.")
keys = typer.Typer(no_args_is_help=True, help="API keys, made on this machine whether the hub runs or not.")
app.add_typer(keys, name="keys")
app.add_typer(signing_commands.releases, name="releases")
app.add_typer(signing_commands.signing, name="signing")

Data = Annotated[Path, typer.Option(help="Folder of everything the hub keeps", file_okay=False)]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="TOML file of settings", exists=True, dir_okay=False)]


@app.command()
def run(
    *,
    data: Data,
    config: ConfigFile = None,
    port: Annotated[int | None, typer.Option(help="HTTP port; 0 takes a free one")] = None,
    host: Annotated[str | None, typer.Option(help="HTTP address to listen on")] = None,
    mqtt_port: Annotated[int | None, typer.Option(help="MQTT port of the embedded broker; 0 takes a free one")] = None,
    role: Annotated[list[str] | None, typer.Option(help="api, ingest or jobs; all when left out")] = None,
    check: Annotated[bool, typer.Option("--check", help="Only check the settings")] = False,
) -> None:
    """Run the hub until SIGTERM or Ctrl-C."""
    from hub import process  # noqa: PLC0415 - see above

    http = {"port": port, "host": host}
    settings = _settings(data, config, {"http": http, "broker": {"mqtt_port": mqtt_port}, "": {"roles": role}})
    sys.exit(process.run(settings, check=check))


@app.command("setup-token")
def setup_token(data: Data, config: ConfigFile = None) -> None:
    """Print a new set-up token for a hub that has no administrator. It voids those before it."""
    from hub.setup import offline  # noqa: PLC0415 - see above

    try:
        typer.echo(asyncio.run(offline.renew(_settings(data, config), SystemClock())))
    except DiwangError as error:
        _give_up(error)


@keys.command("create")
def create_key(
    data: Data,
    name: Annotated[str, typer.Option(help="Who or what uses it")],
    scope: Annotated[list[str], typer.Option(help="What it may do; repeat for several")],
    config: ConfigFile = None,
    days: Annotated[float | None, typer.Option(help="Days until it ends by itself", min=0)] = None,
) -> None:
    """Make a key and print it. It is shown this once."""
    from hub.accounts import offline  # noqa: PLC0415 - see above

    life = timedelta(days=days) if days is not None else None
    try:
        typer.echo(asyncio.run(offline.create(_settings(data, config), SystemClock(), name, scope, life)))
    except DiwangError as error:
        _give_up(error)


@keys.command("list")
def list_keys(data: Data, config: ConfigFile = None) -> None:
    """Print every key, newest first: id, state, last use, scopes, name."""
    from hub.accounts import offline  # noqa: PLC0415 - see above

    try:
        for line in asyncio.run(offline.describe(_settings(data, config), SystemClock())):
            typer.echo(line)
    except DiwangError as error:
        _give_up(error)


@keys.command("revoke")
def revoke_key(data: Data, key_id: str, config: ConfigFile = None) -> None:
    """End a key; a running hub refuses it within five seconds."""
    from hub.accounts import offline  # noqa: PLC0415 - see above

    try:
        if not asyncio.run(offline.revoke(_settings(data, config), SystemClock(), key_id)):
            typer.echo(f"no valid key {key_id}", err=True)
            raise typer.Exit(1)
    except DiwangError as error:
        _give_up(error)


def _settings(data: Path, file: Path | None, options: dict[str, dict[str, Any]] | None = None) -> "HubConfig":
    """Lay the options that were given over the file; options of the section "" stand at the top."""
    from hub.config import load  # noqa: PLC0415 - see above

    sections = options or {}
    given = {name: {key: value for key, value in part.items() if value is not None} for name, part in sections.items()}
    try:
        return load(file, {"data": data, **given.pop("", {}), **given})
    except DiwangError as error:
        _give_up(error, status=2)


def _give_up(error: DiwangError, *, status: int = 1) -> NoReturn:
    typer.echo(str(error), err=True)
    raise typer.Exit(status) from error
