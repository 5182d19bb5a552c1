"""`diwang verify`: checks evidence offline, in both languages, and says by its exit status what came of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from protocol.errors import DiwangError

if TYPE_CHECKING:
    from hub.custody.verifying import Finding, Outcome, Trust

PROVED: Final = 0
REFUTED: Final = 1
UNREADABLE: Final = 2
INTACT: Final = 3

_SIGNS: Final = {"holds": "✓", "open": "?", "broken": "✗"}


def verify(
    evidence: Annotated[
        list[Path],
        typer.Argument(help="Bundles (.zip), clips, proof documents (.json)", exists=True, dir_okay=False),
    ],
    proof: Annotated[
        Path | None, typer.Option(help="Proof document of a bare clip; else <clip>.custody.json", dir_okay=False)
    ] = None,
    key: Annotated[str, typer.Option(help="Key of the log, as its publisher says it, or a file that holds it")] = "",
    tsa_roots: Annotated[
        Path | None, typer.Option(help="PEM file of the time-stamping authority's roots", exists=True, dir_okay=False)
    ] = None,
) -> None:
    """Check clips, bundles and deletion certificates offline.

    Exit status: 0 proved; 1 something was changed; 2 it cannot be read; 3 intact, but not proved: the key or a time
    stamp is missing, as is said.
    """
    from hub.custody.verifying import Outcome  # noqa: PLC0415 - a box has none of the hub

    statuses = {Outcome.HOLDS: PROVED, Outcome.OPEN: INTACT, Outcome.BROKEN: REFUTED}
    try:
        trust = _trust(key, tsa_roots)
        found = [statuses[_report(file, proof, trust)] for file in evidence]
    except (DiwangError, OSError, ValueError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(UNREADABLE) from error
    raise typer.Exit(next((worst for worst in (REFUTED, INTACT) if worst in found), PROVED))


def _trust(key: str, tsa_roots: Path | None) -> "Trust":
    from hub.custody.notes import VerifierKey  # noqa: PLC0415 - see above
    from hub.custody.stamping import roots_in  # noqa: PLC0415 - see above
    from hub.custody.verifying import Trust  # noqa: PLC0415 - see above

    said = Path(key).read_text(encoding="utf-8") if key and "+" not in key else key
    return Trust(
        key=VerifierKey.parsed(said) if said else None, roots=roots_in(tsa_roots) if tsa_roots is not None else ()
    )


def _report(file: Path, proof: Path | None, trust: "Trust") -> "Outcome":
    from hub.custody.verifying import verdict  # noqa: PLC0415 - see above

    typer.echo(str(file))
    findings = []
    for finding in _findings(file, proof, trust):
        findings.append(finding)
        typer.echo(f"  {_SIGNS[finding.outcome.value]} {_said(finding.word, finding.facts)}")
    outcome = verdict(findings)
    typer.echo(f"{_SIGNS[outcome.value]} {_said(f'verdict_{outcome.value}', {})}")
    return outcome


def _findings(file: Path, proof: Path | None, trust: "Trust") -> "Iterator[Finding]":
    from hub.footage.verifying import verify_bundle, verify_clip, verify_document  # noqa: PLC0415 - see above

    beside = proof or file.with_name(f"{file.name}.custody.json")
    if file.suffix == ".zip":
        return verify_bundle(file, trust)
    if file.suffix == ".json" and proof is None:
        return verify_document(file.read_bytes(), trust)
    return verify_clip(file, beside.read_bytes(), trust)


def _said(word: str, facts: dict[str, str]) -> str:
    from hub.words.catalogue import words  # noqa: PLC0415 - see above

    chinese, english = (str(words(language)["verify"][word]).format(**facts) for language in ("zh-CN", "en"))
    return f"{chinese}  {english}"
