"""/telemetry and /positions: newest values, ranges, steps, export, and tracks as GeoJSON."""

import base64
import binascii
from bisect import bisect_right
from collections.abc import AsyncIterator
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response, StreamingResponse
from pydantic import StringConstraints

from hub.accounts.keyring import Caller
from hub.accounts.scopes import Scope
from hub.api.access import caller_with
from hub.api.paging import Page
from hub.api.times import Window, window
from hub.api.values import Level
from hub.parts import PartsHere
from hub.telemetry.contract import LastValue, SeriesKey
from hub.telemetry.exporting import CSV, PARQUET, csv_of, parquet_of
from hub.telemetry.schemas import LastValueOut, Points, Positions, feature
from protocol.errors import RefusedRequestError

router = APIRouter(tags=["telemetry"])

MAX_POINTS: Final = 100_000
MAX_STEP_S: Final = 366 * 86_400
GEOJSON: Final = "application/geo+json"

Allowed = Annotated[Caller, caller_with(Scope.TELEMETRY_READ)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Limit = Annotated[int, Query(ge=1, le=MAX_POINTS, description="At most so many, the oldest; ask on from the last one")]
WindowHere = Annotated[Window, Depends(window)]


def series_asked(gateway: Level, device: Level, name: Name) -> SeriesKey:
    """Read which series is asked for."""
    return SeriesKey(gateway, device, name)


SeriesHere = Annotated[SeriesKey, Depends(series_asked)]


class Format(StrEnum):
    """What a file of readings may be."""

    CSV = "csv"
    PARQUET = "parquet"


@router.get("/telemetry/last")
async def last_values(
    parts: PartsHere,
    _: Allowed,
    gateway: Level | None = None,
    device: Level | None = None,
    limit: Annotated[int, Query(ge=1, le=5_000, description="At most so many items")] = 1_000,
    cursor: Annotated[str | None, Query(max_length=2_000, description="`next` of the page before")] = None,
) -> Page[LastValueOut]:
    """The newest value of each series by the device's time, ordered by gateway, device and name."""
    found = sorted(await parts.telemetry.last(gateway, device), key=_key)
    start = 0 if cursor is None else bisect_right(found, _decoded(cursor), key=_key)
    items = found[start : start + limit]
    following = _encoded(items[-1]) if start + limit < len(found) else None
    return Page(items=[LastValueOut.of(item) for item in items], next=following)


@router.get("/telemetry", response_model=Points)
async def telemetry(
    parts: PartsHere,
    _: Allowed,
    series: SeriesHere,
    span: WindowHere,
    step: Annotated[
        float | None, Query(ge=0.001, le=MAX_STEP_S, description="Seconds; steps begin at multiples since 1970 UTC")
    ] = None,
    limit: Limit = 10_000,
) -> Response:
    """Values of a series with from <= at < to: `[at, value]`, or per step of numbers `[at, min, mean, max, count]`."""
    if step is None:
        samples = await parts.telemetry.samples(series, *span, limit)
        return _json({"points": samples})
    width = timedelta(seconds=step)
    if (span.until - span.since) / width > MAX_POINTS:
        detail = f"a window of more than {MAX_POINTS} steps; take a longer `step`"
        raise RefusedRequestError("telemetry.too_many_steps", detail, status=422)
    buckets = await parts.telemetry.buckets(series, *span, width, limit)
    return _json({"points": [(each.at, each.minimum, each.mean, each.maximum, each.count) for each in buckets]})


@router.get(
    "/telemetry/export",
    response_class=StreamingResponse,
    responses={200: {"description": "The readings", "content": {"text/csv": {}, PARQUET: {}}}},
)
async def export_telemetry(
    parts: PartsHere,
    _: Allowed,
    span: WindowHere,
    gateway: Level | None = None,
    device: Level | None = None,
    format: Format = Format.CSV,  # noqa: A002 - the parameter's name in the address
) -> StreamingResponse:
    """Readings with from <= at < to as one file: gateway, device, name, at, number, text, received_at.

    Texts are in `text`, all else in `number`, where a flag is 1 or 0.
    """
    batches = parts.telemetry.export(gateway, device, *span)
    chunks = csv_of(batches) if format is Format.CSV else parquet_of(batches)
    # A store that is away shows before the first byte, while there can still be another answer than 200.
    first = [await anext(chunks), await anext(chunks, b"")]
    headers = {"Content-Disposition": f'attachment; filename="telemetry.{format}"'}
    return StreamingResponse(_from(first, chunks), headers=headers, media_type=CSV if format is Format.CSV else PARQUET)


@router.get("/positions", response_model=Positions, responses={200: {"content": {GEOJSON: {}}}})
async def positions(
    parts: PartsHere,
    _: Allowed,
    device: Level,
    span: WindowHere,
    gateway: Level | None = None,
    limit: Limit = 10_000,
) -> Response:
    """A device's track with from <= at < to as a GeoJSON FeatureCollection of points, oldest first."""
    found = await parts.telemetry.positions(gateway, device, *span, limit)
    return _json({"type": "FeatureCollection", "features": [feature(each) for each in found]}, GEOJSON)


async def _from(first: list[bytes], rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    for chunk in first:
        yield chunk
    async for chunk in rest:
        yield chunk


def _json(value: Any, media_type: str = "application/json") -> Response:  # noqa: ANN401 - any JSON value
    return Response(msgspec.json.encode(value), media_type=media_type)


def _key(last: LastValue) -> tuple[str, str, str]:
    return (last.gateway, last.device, last.name)


def _encoded(last: LastValue) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(_key(last))).decode().rstrip("=")


def _decoded(cursor: str) -> tuple[str, str, str]:
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        decoded = base64.b64decode(padded, altchars=b"-_", validate=True)
        return msgspec.json.decode(decoded, type=tuple[str, str, str])
    except (UnicodeEncodeError, binascii.Error, msgspec.DecodeError) as error:
        detail = "the cursor is not one that this list gave"
        raise RefusedRequestError("paging.bad_cursor", detail, status=400) from error
