"""Every change that is made to the DuckDB file, and what has to be known before. The caller owns the transaction."""

from collections.abc import Sequence
from datetime import datetime

import duckdb
import pyarrow as pa

from hub.telemetry.batches import BatchKey
from hub.telemetry.catalogue import Series
from hub.telemetry.columns import Rows, microseconds
from hub.telemetry.contract import Arrival, Retention, SeriesKey
from hub.telemetry.duckdb_file import translated
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


class Writer:
    """A connection whose statements take in Arrow tables, for one thread.

    To register a table, and to plan a statement, costs DuckDB as much as to insert some hundred rows. So each name is
    registered once, and stands for the table that was put there last; and each statement is prepared once. After an
    error use a new one: a rollback may have taken names with it.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self._put: dict[str, _Put] = {}
        self._prepared: set[str] = set()

    def put(self, name: str, rows: pa.Table) -> None:
        """Let `name` stand for these rows in the statements that follow."""
        if name in self._put:
            self._put[name].rows = rows
        else:
            put = self._put[name] = _Put(rows)
            self.connection.register(name, put)

    def append(self, table: str, rows: pa.Table, columns: str = "*") -> None:
        """Append rows to a table; `columns` makes its columns of theirs."""
        self.put(f"new_{table}", rows)
        self.execute(f"append_{table}", f"INSERT INTO {table} SELECT {columns} FROM new_{table}")  # noqa: S608 - ours

    def execute(self, name: str, statement: str) -> duckdb.DuckDBPyConnection:
        """Run a statement that is prepared under a name at its first run."""
        if name not in self._prepared:
            self.connection.execute(f"PREPARE {name} AS {statement}")
            self._prepared.add(name)
        return self.connection.execute(f"EXECUTE {name}")


class _Put:
    """What DuckDB asks for the rows of a name, by the Arrow C stream interface, each time that a statement runs."""

    def __init__(self, rows: pa.Table) -> None:
        self.rows = rows

    def __arrow_c_schema__(self) -> object:
        return self.rows.schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.rows.__arrow_c_stream__(requested_schema)  # type: ignore[no-untyped-call]  # not in its stubs


def known_batches(writer: Writer, offered: pa.Table) -> set[BatchKey]:
    """Return which of these batches (gateway, epoch, id) are stored."""
    # What is offered is cast, not what is stored: a bare column lets its row groups be ruled out by their bounds.
    query = """
        SELECT gateway, epoch, id FROM batch
        SEMI JOIN (SELECT gateway, epoch::UUID AS epoch, id::UUID AS id FROM offered) USING (gateway, epoch, id)
    """
    writer.put("offered", offered)
    with translated():
        return set(writer.execute("known", query).fetchall())


def insert(writer: Writer, batches: pa.Table, decided: Sequence[tuple[SeriesKey, Series]], rows: Rows) -> None:
    """Append batches, the series that they were the first to have, and their rows."""
    writer.append("batch", batches, "number, gateway, epoch::UUID, id::UUID, received")
    if decided:
        keys = {name: [getattr(key, name) for key, _ in decided] for name in SeriesKey._fields}
        entries = pa.table(
            {"id": [series.id for _, series in decided], **keys} | {"type": [str(s.kind) for _, s in decided]}
        )
        writer.append("series", entries)
    if rows.readings is not None:
        writer.append("reading", rows.readings)
    if rows.positions is not None:
        writer.append("position", rows.positions)


def snapshot(writer: Writer, newest: Newest, last_batch: int) -> None:
    """Keep the newest values, so that opening the file need not read older rows."""
    writer.connection.execute("DELETE FROM newest")
    writer.connection.execute("DELETE FROM mark")
    writer.append("newest", newest.table())
    writer.connection.execute("INSERT INTO mark VALUES (?)", [last_batch])


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
