"""Instants in requests and answers: RFC 3339 with a zone, kept as UTC.

since: Annotated[Instant, Query(alias="from")]
async def positions(window: Annotated[Window, Depends(window)]) -> ...:     # ?from=…&to=…, from < to
    window.since, window.until
"""

from datetime import UTC, datetime
from typing import Annotated, NamedTuple

from fastapi import Query
from pydantic import AfterValidator, AwareDatetime, WithJsonSchema

from protocol.errors import RefusedRequestError

_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = datetime(9999, 1, 1, tzinfo=UTC)


def _utc(value: datetime) -> datetime:
    if not _FIRST <= value < _LAST:
        raise ValueError("not between the years 1970 and 9998")
    return value.astimezone(UTC)


Instant = Annotated[
    AwareDatetime,
    AfterValidator(_utc),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-24T08:00:00Z"]}),
]


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
