"""Every change that is made to the DuckDB file. The caller owns the transaction."""

from collections.abc import Sequence
from datetime import datetime

import duckdb
import pyarrow as pa

from hub.telemetry.catalogue import Series
from hub.telemetry.columns import Rows, microseconds
from hub.telemetry.contract import Arrival, Retention, SeriesKey
from hub.telemetry.duckdb_reading import plain
from hub.telemetry.newest import Newest

Deadlines = Sequence[tuple[SeriesKey, Series, datetime]]


def identities(arrivals: Sequence[Arrival], first_number: int) -> pa.Table:
    """Return the identities of batches as columns: number, gateway, epoch, id, received."""
    batches = [arrival.batch for arrival in arrivals]
    numbers = range(first_number, first_number + len(batches))
    return pa.table(
        {
            "number": pa.array(numbers, pa.int64()),
            "gateway": pa.array([batch.gateway for batch in batches], pa.string()),
            "epoch": pa.array([str(batch.epoch) for batch in batches], pa.string()),
            "id": pa.array([str(batch.id) for batch in batches], pa.string()),
            "received": pa.array(microseconds(arrival.received_at for arrival in arrivals)).cast(pa.timestamp("us")),
        }
    )


def insert(
    writer: duckdb.DuckDBPyConnection, batches: pa.Table, decided: Sequence[tuple[SeriesKey, Series]], rows: Rows
) -> None:
    """Append batches, the series that they were the first to have, and their rows."""
    _append(writer, "batch", batches, "number, gateway, epoch::UUID, id::UUID, received")
    if decided:
        keys = {name: [getattr(key, name) for key, _ in decided] for name in SeriesKey._fields}
        entries = pa.table(
            {"id": [series.id for _, series in decided], **keys} | {"type": [str(s.kind) for _, s in decided]}
        )
        _append(writer, "series", entries)
    if rows.readings.num_rows:
        _append(writer, "reading", rows.readings)
    if rows.positions.num_rows:
        _append(writer, "position", rows.positions)


def snapshot(writer: duckdb.DuckDBPyConnection, newest: Newest, last_batch: int) -> None:
    """Keep the newest values, so that opening the file need not read older rows."""
    writer.execute("DELETE FROM newest")
    writer.execute("DELETE FROM mark")
    _append(writer, "newest", newest.table())
    writer.execute("INSERT INTO mark VALUES (?)", [last_batch])


def delete_old(cursor: duckdb.DuckDBPyConnection, deadlines: Deadlines, retention: Retention, now: datetime) -> int:
    """Delete rows of series before their deadlines, old positions and old batch ids; return how many rows went."""
    before = pa.table(
        {
            "series": pa.array([series.id for _, series, _ in deadlines], pa.int64()),
            "cutoff": pa.array(microseconds(cutoff for _, _, cutoff in deadlines)).cast(pa.timestamp("us")),
        }
    )
    cursor.register("deadline", before)
    readings = cursor.execute(
        "DELETE FROM reading USING deadline WHERE reading.series = deadline.series AND instant < cutoff"
    ).fetchall()
    cursor.unregister("deadline")
    positions = cursor.execute("DELETE FROM position WHERE instant < ?", [plain(now - retention.positions)]).fetchall()
    cursor.execute("DELETE FROM batch WHERE received < ?", [plain(now - retention.batches)]).fetchall()
    gone: int = readings[0][0] + positions[0][0]
    return gone


def _append(writer: duckdb.DuckDBPyConnection, table: str, rows: pa.Table, columns: str = "*") -> None:
    writer.register("arriving", rows)
    writer.execute(f"INSERT INTO {table} SELECT {columns} FROM arriving")  # noqa: S608 - the names of our own tables
    writer.unregister("arriving")
