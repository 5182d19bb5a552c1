"""`diwang edge enrol` and `diwang edge reset`: the box gets its identity, and forgets it. They speak both languages."""

import asyncio
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from protocol.errors import DiwangError


def enrol(
    ticket: Annotated[
        str, typer.Argument(help="What the QR code of the work order says: gw1:https://hub:port/e/CODE#…")
    ],
    config: Annotated[
        Path, typer.Option(help="TOML file of the box; made when it is not there", dir_okay=False)
    ] = Path("site.toml"),
) -> None:
    """Enrol this box at the hub: makes its key, gets its certificate, writes both into the configuration."""
    from edge.enrolment import enrolling, words  # noqa: PLC0415 - the agent's start must not load what this needs

    def show(check: str, waiting: bool) -> None:  # noqa: FBT001 - as enrolling calls it
        typer.echo(words.in_both("waiting") if waiting else words.in_both("check", check=check))

    try:
        done = asyncio.run(enrolling.enrol(ticket, config, show))
    except DiwangError as error:
        _give_up(error)
    until = f"{done.not_after:%Y-%m-%d %H:%M}Z"
    typer.echo(words.in_both("enrolled", gateway=done.gateway, until=until, file=done.file))
    typer.echo(words.in_both("next", file=done.file))


def reset(
    config: Annotated[Path, typer.Option(help="TOML file of the box", exists=True, dir_okay=False)],
    *,
    force_lose: Annotated[bool, typer.Option("--force-lose", help="Erase also what the hub does not have yet")] = False,
) -> None:
    """Erase every key, picture and record on this box, and its configuration; tell the hub that it is out of use."""
    from edge import config as configuration  # noqa: PLC0415 - as above
    from edge.enrolment import resetting, words  # noqa: PLC0415 - as above

    try:
        gateway = configuration.load_identity(config).gateway.id
        typer.echo(words.in_both("reset_confirm", gateway=gateway))
        if typer.prompt(">", prompt_suffix=" ").strip() != gateway:
            typer.echo(words.in_both("reset_other", gateway=gateway), err=True)
            raise typer.Exit(1)
        told = asyncio.run(resetting.reset(config, force_lose=force_lose))
    except DiwangError as error:
        _give_up(error)
    not_told = words.in_both("reset_not_told", reason=told.reason, gateway=gateway)
    typer.echo(not_told if told.reason else words.in_both("reset_told"))
    typer.echo(words.in_both("reset_done"))


def _give_up(error: DiwangError) -> NoReturn:
    from edge.enrolment.words import IdentityError, in_both  # noqa: PLC0415 - as above

    said = in_both(error.code, **error.facts) if isinstance(error, IdentityError) else str(error)
    typer.echo(said, err=True)
    raise typer.Exit(1) from error
