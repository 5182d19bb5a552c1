"""`diwang edge doctor` and `diwang edge support`: what is wrong with a box, and a bundle for who supports it."""

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from protocol.clock import SystemClock

if TYPE_CHECKING:
    from edge.doctor.findings import Finding, Language

Site = Annotated[Path, typer.Option("--config", help="TOML file of the box", exists=True, dir_okay=False)]
_COLOURS: Final = {"fine": typer.colors.GREEN, "watch": typer.colors.YELLOW, "wrong": typer.colors.RED}


def doctor(
    config: Site,
    *,
    language: Annotated[str | None, typer.Option("--lang", help="zh-CN or en; the terminal's when left out")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: codes and facts, a line each")] = False,
) -> None:
    """Say in plain words what is wrong with this box and what to do; exit with 1 when something is."""
    import msgspec  # noqa: PLC0415 - the agent's start must not load what the doctor needs

    from edge.doctor.findings import Verdict  # noqa: PLC0415 - as above

    speech = _language(language)
    findings: list[Finding] = []

    async def look() -> None:
        from edge.doctor.examination import examine  # noqa: PLC0415 - as above

        async for finding in examine(config, SystemClock()):
            findings.append(finding)
            if as_json:
                typer.echo(msgspec.json.encode(finding).decode())
            else:
                _show(finding, speech)

    asyncio.run(look())
    if not as_json:
        _sum_up(findings, speech)
    raise typer.Exit(int(any(each.verdict is Verdict.WRONG for each in findings)))


def support(
    config: Site,
    *,
    out: Annotated[Path, typer.Option(help="File to write")] = Path("diwang-support.zip"),
) -> None:
    """Pack how this box stands and what its log says, without secrets, for whoever supports it."""
    from edge.doctor.examination import examine  # noqa: PLC0415 - as above
    from edge.doctor.support import pack  # noqa: PLC0415 - as above

    async def look() -> "list[Finding]":
        return [finding async for finding in examine(config, SystemClock())]

    try:
        pack(config, asyncio.run(look()), out)
    except OSError as error:
        typer.echo(f"{out}: {error.strerror}", err=True)
        raise typer.Exit(1) from error
    typer.echo(out)


def _show(finding: "Finding", language: "Language") -> None:
    from edge.doctor.findings import catalogue, in_words  # noqa: PLC0415 - as above

    words, catalogued = in_words(finding, language), catalogue(language)
    verdict = typer.style(catalogued["verdicts"][finding.verdict], fg=_COLOURS[finding.verdict], bold=True)
    typer.echo(f"{verdict}  {words.what}")
    if words.remedy:
        typer.echo(
            f"      → {catalogued['todo']}：{words.remedy}" if language == "zh-CN" else f"       → {words.remedy}"
        )


def _sum_up(findings: "list[Finding]", language: "Language") -> None:
    from edge.doctor.findings import Verdict, catalogue  # noqa: PLC0415 - as above

    for verdict in (Verdict.WRONG, Verdict.WATCH, Verdict.FINE):
        count = sum(each.verdict is verdict for each in findings)
        if count:
            typer.echo("\n" + catalogue(language)["summary"][verdict].format(count=count))
            return


def _language(given: str | None) -> "Language":
    from edge.doctor.findings import LANGUAGES  # noqa: PLC0415 - as above

    wanted = given or os.environ.get("LC_ALL") or os.environ.get("LANG") or LANGUAGES[0]
    return "en" if wanted.lower().startswith("en") else "zh-CN"
