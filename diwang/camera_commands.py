"""`diwang edge cameras`: which cameras are around the box, and what goes into its configuration."""

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from protocol.errors import DiwangError

if TYPE_CHECKING:
    from edge.cameras.searching import Candidate, User

_CLOCK_TOLERANCE_S: Final = 2.0
_TOLD_QUIRKS: Final = ("own_users", "off_by_default")


def cameras(
    seconds: Annotated[float, typer.Option(min=0.1, max=60, help="How long to wait for answers")] = 4.0,
    username: Annotated[str | None, typer.Option(help="User of the cameras' ONVIF service")] = None,
    password_file: Annotated[
        Path | None, typer.Option(help="File of that user's password", exists=True, dir_okay=False)
    ] = None,
    language: Annotated[str | None, typer.Option("--lang", help="zh-CN or en; the terminal's when left out")] = None,
) -> None:
    """Call for cameras on the network, ask them for their streams, and print what to configure."""
    from edge.cameras import searching, words  # noqa: PLC0415 - the agent's start must not load what this needs

    if (username is None) != (password_file is None):
        raise typer.BadParameter("--username and --password-file belong together")
    chosen = language or ("en" if os.environ.get("LANG", "").startswith("en") else "zh-CN")
    if chosen not in words.LANGUAGES:
        raise typer.BadParameter(f"--lang is one of {', '.join(words.LANGUAGES)}")
    user = searching.User(username, password_file) if username and password_file else None
    typer.echo(words.in_words(chosen, "searching", seconds=f"{seconds:g}"), err=True)
    try:
        candidates = asyncio.run(searching.search(seconds, user))
    except (DiwangError, OSError, UnicodeDecodeError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    if not candidates:
        typer.echo(words.in_words(chosen, "none"), err=True)
        raise typer.Exit(1)
    for number, candidate in enumerate(candidates, start=1):
        for line in _lines(candidate, f"camera-{number}", user, chosen):
            typer.echo(line)


def _lines(candidate: "Candidate", device: str, user: "User | None", language: str) -> list[str]:
    """Return what is said of a camera: remarks as comments, so that the whole can be put into a file."""
    from edge.cameras import searching, words  # noqa: PLC0415 - as above

    def remark(code: str, **facts: object) -> str:
        return f"# {words.in_words(language, code, **facts)}"

    found, brand, description = candidate.found, candidate.brand, candidate.description
    maker = description.maker + " " + description.model if description else (brand.maker if brand else "?")
    lines = [remark("found", host=found.host, name=found.name or "-", brand=maker)]
    if candidate.reason:
        lines.append(remark("failed", reason=candidate.reason))
        lines += [remark(quirk) for quirk in _TOLD_QUIRKS if brand and quirk in brand.quirks]
    elif description is None:
        lines.append(remark("not_asked" if brand else "unknown_brand"))
    if description and abs(description.clock_offset_s or 0.0) > _CLOCK_TOLERANCE_S:
        lines.append(remark("clock_off", seconds=f"{description.clock_offset_s:.0f}"))
    if candidate.streams:
        lines += [remark("write"), searching.section(device, candidate.streams, user, candidate.asked_at)]
    elif description:
        lines.append(remark("no_stream"))
    return lines
