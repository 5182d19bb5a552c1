"""Importing recalls from a CSV. What cannot be taken is told by the line, the rest is taken."""

import csv
import io
from dataclasses import dataclass, field
from typing import Final

from pydantic import ValidationError

from hub.recalls.schemas import RecallIn, RefusedLine
from protocol.errors import RefusedRequestError

CSV: Final = "text/csv"
MOST_LINES: Final = 20_000
REFUSED_TOLD: Final = 1_000


@dataclass(slots=True)
class ParsedList:
    """The lines of a file that can be taken, and those that cannot."""

    recalls: list[RecallIn] = field(default_factory=list)
    refused: list[RefusedLine] = field(default_factory=list)


def parse(content: bytes, media_type: str) -> ParsedList:
    """Read a file whose heading names the fields of `RecallIn`. It may take a second: run it beside the event loop.

    Raises RefusedRequestError: recalls.import_type (415), recalls.not_utf8, recalls.not_csv, recalls.too_many_lines.
    """
    kind = media_type.partition(";")[0].strip().lower()
    if kind != CSV:
        raise RefusedRequestError("recalls.import_type", f"send {CSV}, not {kind!r:.100}", status=415)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RefusedRequestError("recalls.not_utf8", f"the file is not UTF-8: {error}", status=422) from error
    reader = csv.DictReader(io.StringIO(text, newline=""), restkey="(too many cells)", strict=True)
    found = ParsedList()
    try:
        for row in reader:
            if reader.line_num > MOST_LINES:
                raise RefusedRequestError("recalls.too_many_lines", f"at most {MOST_LINES} lines", status=422)
            _take(found, reader.line_num, {name: value for name, value in row.items() if value})
    except csv.Error as error:
        detail = f"not a CSV from line {reader.line_num} on: {error}"
        raise RefusedRequestError("recalls.not_csv", detail, status=422) from error
    return found


def _take(found: ParsedList, number: int, row: dict[str, str]) -> None:
    try:
        found.recalls.append(RecallIn.model_validate(row))
    except ValidationError as error:
        reasons = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        found.refused.append(RefusedLine(line=number, detail=reasons.lstrip(": ")[:500]))
