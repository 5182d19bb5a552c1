"""Instants in requests and answers: RFC 3339 with a zone, kept as UTC.

since: Annotated[Instant, Query(alias="from")]
async def positions(window: Annotated[Window, Depends(window)]) -> ...:     # ?from=…&to=…, from < to
    window.since, window.until
"""

import re
from datetime import UTC, date, datetime
from typing import Annotated, NamedTuple

from fastapi import Query
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, WithJsonSchema

from protocol.errors import RefusedRequestError

_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_LAST = datetime(9999, 1, 1, tzinfo=UTC)


def _written(value: object) -> object:
    """Pydantic would take a number for seconds since 1970; RFC 3339 would not."""
    if isinstance(value, datetime) or (isinstance(value, str) and _RFC_3339.match(value)):
        return value
    raise ValueError("not an RFC 3339 time like 2026-11-24T08:00:00Z")


def _utc(value: datetime) -> datetime:
    if not _FIRST <= value < _LAST:
        raise ValueError("not between the years 1970 and 9998")
    return value.astimezone(UTC)


Instant = Annotated[
    AwareDatetime,
    BeforeValidator(_written),
    AfterValidator(_utc),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-24T08:00:00Z"]}),
]


def _written_day(value: object) -> object:
    """As above: a number is no date."""
    if isinstance(value, date) or (isinstance(value, str) and _DAY.fullmatch(value)):
        return value
    raise ValueError("not a date like 2026-11-25")


Day = Annotated[date, BeforeValidator(_written_day)]
"""A day, without a zone: of a document, of a production."""


class Window(NamedTuple):
    """A stretch of time: since <= at < until."""

    since: datetime
    until: datetime


def window(
    since: Annotated[Instant, Query(alias="from", description="Start, included")],
    until: Annotated[Instant, Query(alias="to", description="End, excluded")],
) -> Window:
    """Read `from` and `to`; refuse a window that ends before it starts."""
    if since >= until:
        raise RefusedRequestError("times.empty_window", "`from` must be earlier than `to`", status=422)
    return Window(since, until)
