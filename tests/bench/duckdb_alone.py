"""DuckDB without a hub: the rows that the load generator's batches make, inserted into the hub's own tables."""

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
from uuid_utils.compat import uuid7

from hub.telemetry.catalogue import Catalogue
from hub.telemetry.columns import rows_of
from hub.telemetry.contract import Arrival
from hub.telemetry.duckdb_file import DuckDBFile, Limits
from hub.telemetry.duckdb_writing import Writer
from protocol import codec
from protocol.messages import Reading
from tests.bench.mqtt_load import IDENT, SECOND, records, second

GATEWAYS = 10
TURN_S = 0.7
TURNS = 3
GROUPS = 8
AT_ONCE = 1_000_000


@dataclass(frozen=True, slots=True)
class Rates:
    """Rows per second in commits of `rows` rows, their columns ready or made of lists, and all in one commit."""

    rows: int
    ready: float
    made: float = 0
    at_once: float = 0


def rates(batch: int, batches: int, *, kind: str = "reading", every: bool = False) -> Rates:
    """Measure with commits of so many batches of so many records; unless `every`, the ready columns alone.

    Each rate is the median of three turns.
    """
    groups = [_arrivals(batch, batches, kind, number) for number in range(GROUPS)]
    catalogue = Catalogue()
    laid_out = [rows_of(group, catalogue, number * batches) for number, group in enumerate(groups)]
    tables = [table for rows in laid_out for table in (rows.readings, rows.positions) if table is not None]
    ready = _inserted(kind, lambda turn: tables[turn % GROUPS])
    if not every:
        return Rates(batch * batches, ready)
    # What was just entered is what a program of a few lines would keep in a dictionary.
    numbers = {(key.gateway, key.device, key.name): series.id for key, series in catalogue}
    made = _inserted(kind, lambda turn: _of_lists(groups[turn % GROUPS], numbers))
    many = pa.concat_tables(tables * (AT_ONCE // (GROUPS * batch * batches) + 1))
    return Rates(batch * batches, ready, made, _inserted(kind, lambda _: many))


def _arrivals(batch: int, batches: int, kind: str, group: int) -> list[Arrival]:
    """What a hub has decoded of a group of batches."""
    body, began, epochs = records(batch, kind), datetime.now(UTC), [uuid4() for _ in range(GATEWAYS)]
    arrivals = []
    for number in range(batches):
        envelope = b'{"id":"%s","gateway":"g%d","epoch":"%s","seq":%d,"sent_at":"%sZ","records":' % (
            str(uuid7()).encode(),
            number % GATEWAYS,
            str(epochs[number % GATEWAYS]).encode(),
            number,
            second(began, 0),
        )
        told = body.replace(SECOND, second(began, group * batches + number)).replace(IDENT, b"00000000")
        arrivals.append(Arrival(codec.decode_batch(envelope + told + b"}").batch, datetime.now(UTC)))
    return arrivals


def _of_lists(arrivals: list[Arrival], numbers: dict[tuple[str, str, str], int]) -> pa.Table:
    """The straightforward way from decoded records to columns."""
    rows = [
        (numbers[arrival.batch.gateway, record.device, name], record.at, value, arrival.received_at, place)
        for place, arrival in enumerate(arrivals)
        for record in arrival.batch.records
        if isinstance(record, Reading)
        for name, value in record.values.items()
    ]
    series, at, number, received, batch = (list(column) for column in zip(*rows, strict=True))
    instant = pa.timestamp("us")
    return pa.table(
        {
            "series": series,
            "instant": pa.array(at, instant),
            "number": number,
            "text": pa.nulls(len(rows), pa.string()),
            "received": pa.array(received, instant),
            "batch": batch,
            "extra": pa.nulls(len(rows), pa.string()),
        }
    )


def _inserted(table: str, rows: Callable[[int], pa.Table]) -> float:
    """Rows per second into one of the hub's tables, each `rows(turn)` one transaction and one fsync."""
    found = []
    for _ in range(TURNS):
        with tempfile.TemporaryDirectory(prefix="diwang-bench-") as folder:
            file = DuckDBFile(Path(folder) / "alone.duckdb", Limits())
            writer = Writer(file.cursor())
            stored, turn, began = 0, 0, time.perf_counter()
            while time.perf_counter() - began < TURN_S:
                arriving = rows(turn)
                writer.connection.begin()
                writer.append(table, arriving)
                writer.connection.commit()
                stored += arriving.num_rows
                turn += 1
            found.append(stored / (time.perf_counter() - began))
            file.close()
    return statistics.median(found)
