"""Every question that is put to InfluxDB, in InfluxQL."""

# ruff: noqa: S608 - placeholders differ between the versions of InfluxQL; `literal` escapes what comes from outside

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from typing import Any, Final
from uuid import UUID

import msgspec
import pyarrow as pa

from hub.telemetry.batches import BatchKey
from hub.telemetry.catalogue import EARLIEST, LATEST, SeriesType
from hub.telemetry.columns import EPOCH, POSITION_FIELDS
from hub.telemetry.contract import EXPORTED, Arrival, Bucket, LastValue, Sample, Scalar, SeriesKey, StoredPosition
from hub.telemetry.influx_lines import INTEGERS, batch_ns, from_tag, microseconds, stored_tag
from hub.telemetry.influx_server import InfluxServer, Row
from protocol.messages import Position

EXPORT_ROWS: Final = 10_000
SAME_RUN_NS: Final = 60 * 10**9
"""Batches that are filed closer than this are looked for in one stretch."""

_BY_SERIES: Final = 'GROUP BY "gateway", "device", "name"'

Span = tuple[datetime, datetime]


def series(server: InfluxServer) -> Iterator[tuple[SeriesKey, SeriesType]]:
    """Yield every series that was ever stored, with its type."""
    (rows,) = server.query(f'SELECT "kind" FROM "series" {_BY_SERIES}')
    for row in rows:
        yield _key(row), SeriesType(row["kind"])


def series_of(server: InfluxServer, devices: Iterable[tuple[str, str]]) -> Iterator[tuple[SeriesKey, SeriesType]]:
    """Yield the series of some devices (gateway, device), with their types."""
    wheres = (where_is(gateway=gateway, device=device) for gateway, device in devices)
    for rows in server.query(*(f'SELECT "kind" FROM "series"{where} {_BY_SERIES}' for where in wheres)):
        for row in rows:
            yield _key(row), SeriesType(row["kind"])


def known_batches(server: InfluxServer, offered: Iterable[Arrival]) -> set[BatchKey]:
    """Return which of the offered batches are stored."""
    filed = sorted((one.batch.gateway, str(one.batch.epoch), batch_ns(one.batch.id)) for one in offered)
    stretches: list[tuple[str, str, int, int]] = []
    for (gateway, epoch), of_one in groupby(filed, key=lambda place: place[:2]):
        times = [time for _, _, time in of_one]
        breaks = [place for place, (a, b) in enumerate(pairwise(times), 1) if b - a > SAME_RUN_NS]
        for start, end in pairwise([0, *breaks, len(times)]):
            stretches.append((gateway, epoch, times[start], times[end - 1]))
    statements = [
        f'SELECT "id" FROM "batch" WHERE "gateway" = {literal(gateway)} AND "epoch" = {literal(epoch)} '
        f"AND time >= {first} AND time <= {last}"
        for gateway, epoch, first, last in stretches
    ]
    answers = server.query(*statements)
    return {
        (gateway, UUID(epoch), UUID(row["id"]))
        for (gateway, epoch, _, _), rows in zip(stretches, answers, strict=True)
        for row in rows
    }


def last(server: InfluxServer, gateway: str | None, device: str | None) -> list[LastValue]:
    """Return the newest value of each series of a gateway and device."""
    where = where_is(gateway=gateway, device=device)
    statements = [f'SELECT last("{kind}") AS "value" FROM "reading"{where} {_BY_SERIES}' for kind in SeriesType]
    return [
        LastValue(*_key(row), _at(row), _typed(row["value"], kind))
        for kind, rows in zip(SeriesType, server.query(*statements), strict=True)
        for row in rows
    ]


def samples(server: InfluxServer, key: SeriesKey, span: Span, limit: int) -> list[Sample]:
    """Return the oldest values of a series in a range."""
    where = where_is(**key._asdict(), span=span)
    (rows,) = server.query(f'SELECT "number", "flag", "text" FROM "reading"{where} LIMIT {limit:d}')
    return [Sample(_at(row), _typed(row[kind], kind)) for row in rows for kind in SeriesType if row[kind] is not None]


def buckets(server: InfluxServer, key: SeriesKey, span: Span, step: timedelta, limit: int) -> list[Bucket]:
    """Return the steps of a numeric series in a range that hold values."""
    figures = ", ".join(f'{name}("number") AS "{name}"' for name in ("min", "mean", "max", "count"))
    where, width = where_is(**key._asdict(), span=span), step // timedelta(microseconds=1)
    (rows,) = server.query(f'SELECT {figures} FROM "reading"{where} GROUP BY time({width}u) fill(none) LIMIT {limit:d}')
    return [
        Bucket(_at(row), float(row["min"]), float(row["mean"]), float(row["max"]), int(row["count"])) for row in rows
    ]


def positions(server: InfluxServer, gateway: str | None, device: str, span: Span, limit: int) -> list[StoredPosition]:
    """Return the oldest positions of a device in a range."""
    fields = ", ".join(f'"{name}"' for name in ("gateway", *POSITION_FIELDS, "present", "received"))
    (rows,) = server.query(
        f'SELECT {fields} FROM "position"{where_is(gateway=gateway, device=device, span=span)} LIMIT {limit:d}'
    )
    rows.sort(key=lambda row: (row["time"], row["gateway"]))
    return [
        StoredPosition(row["gateway"], _position(device, row), EPOCH + timedelta(microseconds=row["received"]))
        for row in rows
    ]


def export(server: InfluxServer, gateway: str | None, device: str | None, span: Span) -> Iterator[pa.RecordBatch]:
    """Yield readings in order of time, a page at a time."""
    start, limit = span[0], EXPORT_ROWS
    while True:
        where = where_is(gateway=gateway, device=device, span=(start, span[1]))
        (rows,) = server.query(
            'SELECT "gateway", "device", "name", "number", "flag", "text", "received" '
            f'FROM "reading"{where} LIMIT {limit:d}'
        )
        full = len(rows) == limit
        # The last instant of a full page may go on: it begins the next page, which is larger if it is all there is.
        whole = [row for row in rows if row["time"] < rows[-1]["time"]] if full else rows
        if whole:
            yield _exported(whole)
        if not full:
            return
        limit = EXPORT_ROWS if whole else 2 * limit
        start = _at(rows[-1])


def literal(text: str) -> str:
    """Write a string of InfluxQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"


def nanoseconds(at: datetime) -> int:
    """Return an aware time as InfluxQL compares it, brought within what the store can hold."""
    return microseconds(min(max(at, EARLIEST), LATEST)) * 1_000


def where_is(
    *, gateway: str | None = None, device: str | None = None, name: str | None = None, span: Span | None = None
) -> str:
    """Return the WHERE clause, with a leading blank, of what is asked for; nothing when everything is."""
    tags = {"gateway": gateway, "device": device, "name": name}
    terms = [f'"{key}" = {literal(stored_tag(text))}' for key, text in tags.items() if text is not None]
    if span is not None:
        terms += [f"time >= {nanoseconds(span[0])}", f"time < {nanoseconds(span[1])}"]
    return f" WHERE {' AND '.join(terms)}" if terms else ""


def _key(row: Row) -> SeriesKey:
    return SeriesKey(row["gateway"], row["device"], from_tag(row["name"]))


def _at(row: Row) -> datetime:
    return EPOCH + timedelta(microseconds=row["time"])


def _typed(value: Any, kind: SeriesType) -> Scalar:  # noqa: ANN401 - a JSON value
    if kind is SeriesType.NUMBER:
        return float(value)
    return bool(value) if kind is SeriesType.FLAG else str(value)


def _position(device: str, row: Row) -> Position:
    present = {name: row[name] for name in ("latitude", "longitude", *filter(None, row["present"].split(",")))}
    flags = msgspec.json.decode(row["flags"], type=tuple[str, ...])
    fields: dict[str, Any] = {name: number if name in INTEGERS else float(number) for name, number in present.items()}
    return Position(device=device, at=_at(row), flags=flags, **fields)


def _exported(rows: Sequence[Row]) -> pa.RecordBatch:
    numbers = [row["number"] if row["flag"] is None else row["flag"] for row in rows]
    columns: list[pa.Array[Any]] = [
        pa.array([row["gateway"] for row in rows], pa.string()),
        pa.array([row["device"] for row in rows], pa.string()),
        pa.array([from_tag(row["name"]) for row in rows], pa.string()),
        pa.array([row["time"] for row in rows], pa.int64()).cast(EXPORTED.field("at").type),
        pa.array([None if number is None else float(number) for number in numbers], pa.float64()),
        pa.array([row["text"] for row in rows], pa.string()),
        pa.array([row["received"] for row in rows], pa.int64()).cast(EXPORTED.field("received_at").type),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=EXPORTED)
