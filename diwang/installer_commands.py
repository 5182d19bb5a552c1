"""`diwang edge scan` and `diwang edge install`: what is around a box, and the page that leads an installer."""

import asyncio
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from protocol.clock import SystemClock
from protocol.errors import DiwangError

if TYPE_CHECKING:
    from edge.installer.adding import Answers
    from edge.installer.found import Found, Said
    from edge.installer.scanning import Around
    from edge.installer.words import Language

Site = Annotated[Path, typer.Option("--config", help="TOML file of the box", exists=True, dir_okay=False)]
NewSite = Annotated[Path, typer.Option("--config", help="TOML file of the box; made by enrolment", dir_okay=False)]
Through = Annotated[
    list[str] | None, typer.Option(help="Address of the interface to look for cameras through; all when left out")
]
Speech = Annotated[str | None, typer.Option("--lang", help="zh-CN or en; the terminal's when left out")]


def scan(
    config: Site,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Also show what looks like nothing to connect")] = False,
    add: Annotated[str | None, typer.Option(help="Add the one found at this place, without asking which")] = None,
    through: Through = None,
    language: Speech = None,
) -> None:
    """Search for cameras, printers, sensors and receivers around this box, and add what is chosen to its file."""
    from edge import config as configuration  # noqa: PLC0415 - the agent's start must not load what this needs
    from edge.installer.found import Found  # noqa: PLC0415 - as above
    from edge.installer.scanning import places, rank  # noqa: PLC0415 - as above
    from edge.installer.words import in_words  # noqa: PLC0415 - as above

    speech = _language(language)
    try:
        devices = configuration.load(config).devices
        known = {place for device in devices.values() for place in places(device.options)}
        typer.echo(in_words(speech, "scan.searching"), err=True)
        said = asyncio.run(_search(_around(through), known))
    except DiwangError as error:
        _give_up(str(error), error)
    for trouble in said:
        if not isinstance(trouble, Found):
            typer.echo(f"{in_words(speech, f'trouble.{trouble.source}')}: {trouble.reason}", err=True)
    found = sorted((each for each in said if isinstance(each, Found)), key=rank)
    shown = [each for each in found if each.plausible or everything or each.place == add]
    for number, each in enumerate(shown, start=1):
        _show(number, each, speech)
    if not shown:
        typer.echo(in_words(speech, "scan.none"))
    if hidden := len(found) - len(shown):
        typer.echo(in_words(speech, "scan.more", count=hidden))
    chosen = _chosen(shown, add, speech)
    if chosen is not None:
        _add(config, chosen, speech)


def install(
    config: NewSite = Path("site.toml"),
    *,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="TCP port of the page; 0 for any")] = 8088,
    host: Annotated[str, typer.Option(help="Address that the page is served at; 0.0.0.0 for all")] = "0.0.0.0",  # noqa: S104 - for the phone
    through: Through = None,
    language: Speech = None,
) -> None:
    """Serve the installer's page from this box, and print where it is and its password, once."""
    from edge.installer.access import new_password  # noqa: PLC0415 - as above
    from edge.installer.words import in_words  # noqa: PLC0415 - as above

    speech = _language(language)
    try:
        from edge.installer.page import serving  # noqa: PLC0415 - as above
    except ImportError as error:
        _give_up(in_words(speech, "install.missing", package=error.name), error)
    try:
        listener = socket.create_server((host, port))
    except OSError as error:
        _give_up(in_words(speech, "install.port", port=port, reason=error.strerror), error)
    password = new_password()

    def ready() -> None:
        typer.echo(in_words(speech, "install.open"))
        for address in _addresses(host):
            typer.echo(f"  http://{address}:{listener.getsockname()[1]}/")
        typer.echo(in_words(speech, "install.password", password=password))
        typer.echo(in_words(speech, "install.how"))

    with listener:
        serve = serving.serve(config, listener, password, SystemClock(), around=_around(through), ready=ready)
        asyncio.run(serve)


async def _search(around: "Around", known: set[str]) -> "list[Said]":
    from edge.installer.scanning import scan as look  # noqa: PLC0415 - as above

    return [each async for each in look(around, known)]


def _around(through: list[str] | None) -> "Around":
    from edge.installer.scanning import Around  # noqa: PLC0415 - as above

    return Around(through=tuple(through) if through else None)


def _show(number: int, found: "Found", speech: "Language") -> None:
    from edge.installer.words import in_words  # noqa: PLC0415 - as above

    kind, why = in_words(speech, f"kind.{found.kind}"), in_words(speech, f"why.{found.why}")
    typer.echo(f"{number:3}  {kind}  {found.title}\n     {found.place}  {why}")


def _chosen(shown: "list[Found]", place: str | None, speech: "Language") -> "Found | None":
    from edge.installer.words import in_words  # noqa: PLC0415 - as above

    if place is not None:
        chosen = next((each for each in shown if each.place == place), None)
        if chosen is None:
            raise typer.Exit(1)
        return chosen
    while shown:
        answer = typer.prompt(in_words(speech, "scan.which"), default="", show_default=False).strip()
        if not answer:
            return None
        if answer.isascii() and answer.isdigit() and 1 <= int(answer) <= len(shown):
            return shown[int(answer) - 1]
        typer.echo(in_words(speech, "scan.no_such"), err=True)
    return None


def _add(file: Path, found: "Found", speech: "Language") -> None:
    from edge import config as configuration  # noqa: PLC0415 - as above
    from edge.installer import adding, writing  # noqa: PLC0415 - as above
    from edge.installer.agents import Agents  # noqa: PLC0415 - as above
    from edge.installer.words import in_words  # noqa: PLC0415 - as above

    suggested = writing.free_name(found.kind, configuration.load(file).devices)
    try:
        answers = _asked(found, suggested, speech)
        added = asyncio.run(adding.add(file, found, answers))
        typer.echo(in_words(speech, "scan.added", file=file, name=added.name))
        if added.clock_off_s is not None:
            typer.echo(in_words(speech, "devices.clock_off", seconds=f"{added.clock_off_s:+.0f}"))
        agents = Agents(file)
        if agents.running is None:
            typer.echo(in_words(speech, "scan.not_begun"))
        else:
            asyncio.run(agents.begin())
            typer.echo(in_words(speech, "scan.begun"))
    except (DiwangError, OSError, ValueError) as error:
        _give_up(str(error), error)


def _asked(found: "Found", suggested: str, speech: "Language") -> "Answers":
    """Ask for what only a person knows."""
    from edge.installer.adding import Answers  # noqa: PLC0415 - as above
    from edge.installer.words import in_words  # noqa: PLC0415 - as above

    def ask(code: str, default: str = "", *, hidden: bool = False) -> str:
        answer = typer.prompt(in_words(speech, code), default=default, hide_input=hidden, show_default=bool(default))
        return str(answer).strip()

    name = ask("add.name", suggested)
    username = ask("add.username") if "user" in found.wants else ""
    password = ask("add.password", hidden=True) if username else ""
    profile = ""
    if "profile" in found.wants:
        profile = ask(
            "add.profile",
            found.profiles[0] if len(found.profiles) == 1 or found.plausible else ", ".join(found.profiles),
        )
    bind_key = ask("add.bind_key", hidden=True) if "bind_key" in found.wants else ""
    low, high = (ask("add.low"), ask("add.high")) if "limits" in found.wants else ("", "")
    return Answers(
        name=name,
        username=username,
        password=password,
        profile=profile,
        bind_key=bind_key,
        low=float(low) if low else None,
        high=float(high) if high else None,
    )


def _addresses(host: str) -> list[str]:
    """Return the addresses at which a phone may reach the page."""
    if host not in {"0.0.0.0", "::"}:  # noqa: S104 - not bound here
        return [host]
    from drivers.camera.discovery import interfaces  # noqa: PLC0415 - as above

    return interfaces() or ["127.0.0.1"]


def _language(given: str | None) -> "Language":
    from edge.installer.words import LANGUAGES  # noqa: PLC0415 - as above

    wanted = given or os.environ.get("LC_ALL") or os.environ.get("LANG") or LANGUAGES[0]
    return "en" if wanted.lower().startswith("en") else "zh-CN"


def _give_up(said: str, error: Exception) -> NoReturn:
    typer.echo(said, err=True)
    raise typer.Exit(1) from error
