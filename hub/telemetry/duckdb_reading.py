"""Every question that is put to the DuckDB file. Times go in and come out UTC-aware; in the file they are plain UTC."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import duckdb
import pyarrow as pa

from hub.telemetry.catalogue import Catalogue, Series, SeriesType
from hub.telemetry.columns import EPOCH, POSITION_FIELDS
from hub.telemetry.contract import EXPORTED, Bucket, LastValue, Sample, Scalar, SeriesKey, StoredPosition
from hub.telemetry.duckdb_file import translated
from hub.telemetry.newest import Newest
from protocol.messages import Position

EXPORT_WINDOW: Final = timedelta(days=1)
EXPORT_ROWS: Final = 50_000

Span = tuple[datetime, datetime]
"""From the first, included, to the second, excluded."""


def series(cursor: duckdb.DuckDBPyConnection) -> Iterator[tuple[SeriesKey, int, SeriesType]]:
    """Yield every series that was ever stored, with its number and type."""
    for gateway, device, name, number, kind in _rows(cursor, "SELECT gateway, device, name, id, type FROM series"):
        yield SeriesKey(gateway, device, name), number, SeriesType(kind)


def newest(cursor: duckdb.DuckDBPyConnection) -> tuple[Newest, int]:
    """Return the newest value of each series, and the number of the last batch (-1 when there was none).

    Only what was committed after the last snapshot is read from the rows.
    """
    found = Newest()
    mark = _rows(cursor, "SELECT max(batch) FROM mark")[0][0]
    mark = -1 if mark is None else mark
    tail = """
        WITH tail AS (SELECT series, max(instant) AS instant FROM reading WHERE batch > $mark GROUP BY series)
        SELECT series, instant, arg_max(number, r.rowid), arg_max(text, r.rowid)
        FROM reading AS r JOIN tail USING (series, instant) WHERE batch > $mark GROUP BY series, instant
    """
    snapshot = _rows(cursor, "SELECT series, instant, number, text FROM newest")
    for number, instant, value, text in [*snapshot, *_rows(cursor, tail, {"mark": mark})]:
        found.put(number, _microseconds(instant), text if value is None else value)
    last = _rows(cursor, "SELECT max(number) FROM batch")[0][0]
    return found, mark if last is None else max(mark, last)


def last(catalogue: Catalogue, values: Newest, gateway: str | None, device: str | None) -> list[LastValue]:
    """Return the newest values of the series of a gateway and device."""
    wanted = [
        (key, known)
        for key, known in catalogue
        if (gateway is None or key.gateway == gateway) and (device is None or key.device == device)
    ]
    found = values.values(known.id for _, known in wanted)
    return [
        LastValue(*key, EPOCH + timedelta(microseconds=newest_value[0]), _typed(newest_value[1], known))
        for (key, known), newest_value in zip(wanted, found, strict=True)
        if newest_value is not None
    ]


def samples(cursor: duckdb.DuckDBPyConnection, known: Series, span: Span, limit: int) -> list[Sample]:
    """Return the oldest values of a series in a range."""
    query = f"SELECT instant, value FROM ({_one_per_instant(known)}) ORDER BY instant LIMIT $limit"  # noqa: S608 - ours
    found = _rows(cursor, query, _range(known, span) | {"limit": limit})
    return [Sample(instant.replace(tzinfo=UTC), _typed(value, known)) for instant, value in found]


def buckets(cursor: duckdb.DuckDBPyConnection, known: Series, span: Span, step: timedelta, limit: int) -> list[Bucket]:
    """Return the steps of a series in a range that hold numbers."""
    if known.kind is not SeriesType.NUMBER:
        return []
    query = f"""
        SELECT time_bucket(to_microseconds($step), instant, TIMESTAMP '1970-01-01') AS start,
               min(value), avg(value), max(value), count(*)
        FROM ({_one_per_instant(known)}) GROUP BY start ORDER BY start LIMIT $limit
    """  # noqa: S608 - every part is ours
    found = _rows(cursor, query, _range(known, span) | {"step": step // timedelta(microseconds=1), "limit": limit})
    return [Bucket(start.replace(tzinfo=UTC), *figures) for start, *figures in found]


def positions(
    cursor: duckdb.DuckDBPyConnection, gateway: str | None, device: str, span: Span, limit: int
) -> list[StoredPosition]:
    """Return the oldest positions of a device in a range."""
    fields = ", ".join(POSITION_FIELDS)
    query = f"""
        SELECT gateway, instant, received, {fields} FROM position
        WHERE device = $device AND ($gateway IS NULL OR gateway = $gateway) AND instant >= $since AND instant < $until
        QUALIFY row_number() OVER (PARTITION BY gateway, instant ORDER BY rowid DESC) = 1
        ORDER BY instant, gateway LIMIT $limit
    """  # noqa: S608 - the names of our own columns
    asked = {"device": device, "gateway": gateway, "since": plain(span[0]), "until": plain(span[1]), "limit": limit}
    return [
        StoredPosition(
            stored_gateway,
            Position(device=device, at=instant.replace(tzinfo=UTC), **_position(values)),
            received.replace(tzinfo=UTC),
        )
        for stored_gateway, instant, received, *values in _rows(cursor, query, asked)
    ]


def export(
    cursor: duckdb.DuckDBPyConnection, gateway: str | None, device: str | None, span: Span
) -> Iterator[pa.RecordBatch]:
    """Yield readings in order of time; only one window of them is in memory or spilled at once."""
    first = "SELECT min(instant) FROM reading WHERE instant >= $since AND instant < $until"
    window = """
        SELECT gateway, device, name, instant, number, text, received
        FROM (
            SELECT series, instant, arg_max(number, rowid) AS number, arg_max(text, rowid) AS text,
                   arg_max(received, rowid) AS received
            FROM reading WHERE instant >= $since AND instant < $until GROUP BY series, instant
        ) JOIN series ON series = series.id
        WHERE ($gateway IS NULL OR gateway = $gateway) AND ($device IS NULL OR device = $device)
        ORDER BY instant, series
    """
    start, end = plain(span[0]), plain(span[1])
    while (start := _rows(cursor, first, {"since": start, "until": end})[0][0]) is not None:
        stop = min(start + EXPORT_WINDOW, end)
        asked = {"gateway": gateway, "device": device, "since": start, "until": stop}
        with translated():
            for batch in cursor.sql(window, params=asked).to_arrow_reader(EXPORT_ROWS):
                columns = [column.cast(kind) for column, kind in zip(batch.columns, EXPORTED.types, strict=True)]
                yield pa.RecordBatch.from_arrays(columns, schema=EXPORTED)
        start = stop


def _one_per_instant(known: Series) -> str:
    """SQL for (instant, value) of a series: of several values at one instant the last stored one."""
    column = "text" if known.kind is SeriesType.TEXT else "number"
    return f"""
        SELECT instant, arg_max({column}, rowid) AS value FROM reading
        WHERE series = $series AND instant >= $since AND instant < $until GROUP BY instant
    """  # noqa: S608 - the names of our own columns


def _range(known: Series, span: Span) -> dict[str, Any]:
    return {"series": known.id, "since": plain(span[0]), "until": plain(span[1])}


def _position(values: list[Any]) -> dict[str, Any]:
    named = dict(zip(POSITION_FIELDS, values, strict=True))
    return named | {"flags": tuple(named["flags"])}


def _typed(value: float | str, known: Series) -> Scalar:
    return bool(value) if known.kind is SeriesType.FLAG else value


def plain(at: datetime) -> datetime:
    """Return an aware time as the file has it."""
    return at.astimezone(UTC).replace(tzinfo=None)


def _microseconds(plain: datetime) -> int:
    return (plain.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)


def _rows(cursor: duckdb.DuckDBPyConnection, query: str, asked: dict[str, Any] | None = None) -> list[Any]:
    with translated():
        return cursor.execute(query, asked).fetchall()
