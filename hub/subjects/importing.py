"""Importing subjects from a file: JSON lines or CSV. What cannot be taken is told by the line, the rest is taken."""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from hub.grids.index import GridIndex
from hub.subjects import identifiers, repository
from hub.subjects.registering import register_all
from hub.subjects.schemas import RefusedLine, SubjectIn, SubjectsImported
from protocol.clock import Clock
from protocol.errors import RefusedRequestError

JSON_LINES: Final = "application/x-ndjson"
CSV: Final = "text/csv"
MOST_LINES: Final = 100_000
_REFUSED_TOLD: Final = 1_000


@dataclass(slots=True)
class ParsedFile:
    """The lines of a file that can be taken, with their numbers, and those that cannot."""

    subjects: list[SubjectIn] = field(default_factory=list)
    refused: list[RefusedLine] = field(default_factory=list)


def parse(content: bytes, media_type: str) -> ParsedFile:
    """Read a file. It may take a second, so run it beside the event loop.

    Raises RefusedRequestError: subjects.import_type (415), subjects.not_utf8, subjects.too_many_lines (422).
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RefusedRequestError("subjects.not_utf8", f"the file is not UTF-8: {error}", status=422) from error
    match media_type.partition(";")[0].strip().lower():
        case "application/x-ndjson":
            lines: Iterable[tuple[int, str | dict[str, Any]]] = enumerate(text.split("\n"), 1)
        case "text/csv":
            lines = _csv_rows(text)
        case other:
            detail = f"send {JSON_LINES} or {CSV}, not {other!r:.100}"
            raise RefusedRequestError("subjects.import_type", detail, status=415)
    return _parsed(lines)


async def take(session: AsyncSession, clock: Clock, index: GridIndex, file: ParsedFile, *, by: str) -> SubjectsImported:
    """Add the subjects of a file whose USCC is not there yet. The caller commits."""
    taken = await repository.with_uscc(session, [each.uscc for each in file.subjects if each.uscc])
    new = [each for each in file.subjects if each.uscc not in taken]
    rows = await register_all(session, clock, index, new, by=by)
    return SubjectsImported(
        created=len(rows),
        known=len(file.subjects) - len(rows),
        refused=len(file.refused),
        refused_lines=file.refused[:_REFUSED_TOLD],
        flagged=sum(bool(identifiers.flags(each.uscc, each.licence)) for each in new),
        without_grid=sum(row["grid_id"] is None for row in rows),
    )


def _parsed(lines: Iterable[tuple[int, str | dict[str, Any]]]) -> ParsedFile:
    file = ParsedFile()
    first_with: dict[str, int] = {}
    for number, line in lines:
        if number > MOST_LINES:
            raise RefusedRequestError("subjects.too_many_lines", f"at most {MOST_LINES} lines", status=422)
        if isinstance(line, str) and not line.strip():
            continue
        try:
            subject = SubjectIn.model_validate_json(line) if isinstance(line, str) else SubjectIn.model_validate(line)
        except ValidationError as error:
            file.refused.append(RefusedLine(line=number, detail=_reasons(error)))
            continue
        if subject.uscc is not None and (first := first_with.setdefault(subject.uscc, number)) != number:
            file.refused.append(RefusedLine(line=number, detail=f"uscc: the same as in line {first}"))
            continue
        file.subjects.append(subject)
    return file


def _csv_rows(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield each row by its heading; an empty cell is left out, a cell too many is refused by its name."""
    reader = csv.DictReader(io.StringIO(text, newline=""), restkey="(too many cells)", strict=True)
    try:
        for row in reader:
            yield reader.line_num, {name: _cell(name, value) for name, value in row.items() if value}
    except csv.Error as error:
        detail = f"not a CSV from line {reader.line_num} on: {error}"
        raise RefusedRequestError("subjects.not_csv", detail, status=422) from error


def _cell(name: str, value: str) -> str | float:
    """Return a number where one is wanted; what is none stays text, and is refused as such."""
    if name not in {"latitude", "longitude"}:
        return value
    try:
        return float(value)
    except ValueError:
        return value


def _reasons(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}".lstrip(": ") for each in error.errors())[:500]
