"""What the embedded telemetry store costs: its commit against DuckDB alone with the same rows, in one run.

    python -m tests.bench.bench_telemetry

Prints rows per second and ratios; nothing passes or fails on them. "Wide" is DuckDB alone with the names spelled out in
each row.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import duckdb
import pyarrow as pa
from uuid_utils.compat import uuid7

from hub.telemetry.catalogue import Catalogue
from hub.telemetry.columns import rows_of
from hub.telemetry.contract import Arrival
from hub.telemetry.duckdb_store import DuckDBStore
from protocol.messages import Batch, Position, Reading, Record
from tests.bench import tables

START = datetime(2026, 11, 24, 8, tzinfo=UTC)
BATCHES, RECORDS, COMMITS = 200, 100, 15
GATEWAYS, DEVICES = 20, 10


def arrivals(round_number: int, record: Callable[[int, datetime], Record]) -> list[Arrival]:
    """One commit's worth of batches, as the decoder would hand them over."""
    received = START + timedelta(seconds=round_number)
    made = []
    for number in range(BATCHES):
        records = tuple(
            record(place, received + timedelta(microseconds=number * 1_000 + place * 7)) for place in range(RECORDS)
        )
        gateway = f"gateway-{number % GATEWAYS}"
        batch = Batch(id=uuid7(), gateway=gateway, epoch=EPOCH, seq=number, sent_at=received, records=records)
        made.append(Arrival(batch, received))
    return made


def reading(place: int, at: datetime) -> Record:
    return Reading(device=f"fridge-{place % DEVICES}", at=at, values={"temperature_c": 4.5 + place})


def position(place: int, at: datetime) -> Record:
    return Position(device=f"van-{place % DEVICES}", at=at, latitude=24.57, longitude=118.1, hdop=0.9, satellites=9)


EPOCH = uuid4()


def duckdb_alone(folder: Path, tables: list[pa.Table], name: str) -> float:
    """Rows per second of plain INSERT … SELECT with the same rows and the same transactions."""
    connection = duckdb.connect(folder / f"{name}.duckdb", config={"memory_limit": "512MiB", "threads": 2})
    columns = ", ".join(f"{field.name} {_sql_type(field.type)}" for field in tables[0].schema)
    connection.execute(f"CREATE TABLE rows_alone ({columns})")
    started = time.perf_counter()
    for table in tables:
        connection.begin()
        connection.register("arriving", table)
        connection.execute("INSERT INTO rows_alone SELECT * FROM arriving")
        connection.commit()
    took = time.perf_counter() - started
    connection.close()
    return sum(table.num_rows for table in tables) / took


def _sql_type(kind: pa.DataType) -> str:
    names = {"int64": "BIGINT", "double": "DOUBLE", "timestamp[us]": "TIMESTAMP", "string": "VARCHAR"}
    return names.get(str(kind), "INTEGER" if str(kind) == "int32" else "VARCHAR[]")


async def commit_rate(folder: Path, rounds: list[list[Arrival]], name: str) -> float:
    """Records per second of `commit`, one after the other."""
    store = await DuckDBStore.opened(folder / f"{name}.duckdb")
    started = time.perf_counter()
    for offered in rounds:
        await store.commit(offered)
    took = time.perf_counter() - started
    await store.close()
    return sum(len(arrival.batch.records) for offered in rounds for arrival in offered) / took


def _wide(offered: list[Arrival]) -> pa.Table:
    rows = [
        (arrival.batch.gateway, record.device, name, record.at.replace(tzinfo=None), value)
        for arrival in offered
        for record in arrival.batch.records
        if isinstance(record, Reading)
        for name, value in record.values.items()
    ]
    gateway, device, name, at, value = (list(column) for column in zip(*rows, strict=True))
    return pa.table({"gateway": gateway, "device": device, "name": name, "instant": at, "number": value})


async def compare(folder: Path, kind: Callable[[int, datetime], Record]) -> list[tuple[str, str, str]]:
    """Return rows of the rates of one kind of record."""
    rounds = [arrivals(number, kind) for number in range(COMMITS)]
    catalogue = Catalogue()
    started = time.perf_counter()
    laid_out = [rows_of(offered, catalogue, number) for number, offered in enumerate(rounds)]
    columns = BATCHES * RECORDS * COMMITS / (time.perf_counter() - started)
    same = [rows for each in laid_out for rows in (each.readings, each.positions) if rows is not None]
    alone, ours, wide = [], [], []
    for turn in range(3):
        alone.append(duckdb_alone(folder, same, f"alone-{kind.__name__}-{turn}"))
        ours.append(await commit_rate(folder, rounds, f"ours-{kind.__name__}-{turn}"))
        if kind is reading:
            wide.append(duckdb_alone(folder, [_wide(offered) for offered in rounds], f"wide-{turn}"))
    rate, base = statistics.median(ours), statistics.median(alone)
    rows = [
        (f"{kind.__name__}: DuckDB alone, the same rows", f"{base:,.0f}", "1.00"),
        (f"{kind.__name__}: commit of the store", f"{rate:,.0f}", f"{rate / base:.2f}"),
        (f"{kind.__name__}: its columns alone, nothing written", f"{columns:,.0f}", f"{columns / base:.2f}"),
    ]
    if wide:
        names = statistics.median(wide)
        rows.append((f"{kind.__name__}: DuckDB alone, names spelled out", f"{names:,.0f}", f"{names / base:.2f}"))
    return rows


async def measure() -> list[tuple[str, str, str]]:
    with tempfile.TemporaryDirectory() as folder:
        return [*await compare(Path(folder), reading), *await compare(Path(folder), position)]


def main() -> None:
    rows = asyncio.run(measure())
    tables.heading("Embedded telemetry store")
    tables.note(
        f"{COMMITS} commits of {BATCHES} batches of {RECORDS} records, one after the other and without a broker, "
        "against DuckDB alone with the same rows and the same transactions. Names spelled out in each row are what a "
        "table without a series catalogue would have. Median of three."
    )
    tables.table(("", "records/s", "of DuckDB alone"), rows)


if __name__ == "__main__":
    main()
