"""The embedded store against what happens to a process: killed, out of disk, opened twice, grown large."""

import asyncio
import random
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import duckdb
import pytest
from msgspec import structs
from uuid_utils.compat import uuid7

from hub.telemetry.contract import Arrival, LastValue, Retention, SeriesClass, SeriesKey
from hub.telemetry.duckdb_file import Limits
from hub.telemetry.duckdb_store import DuckDBStore
from protocol.errors import ConfigurationError
from protocol.messages import Batch, Reading

T0 = datetime(2026, 11, 24, 8, tzinfo=UTC)
EPOCH_ID = UUID("00000000-0000-4000-8000-000000000001")
COUNTER = SeriesKey("g1", "counter", "value")
EVER = (datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))

# Commits batches of ten values with ids from a counter, and says each number once its commit has returned.
WRITER = """
import asyncio, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID
from hub.telemetry.contract import Arrival
from hub.telemetry.duckdb_store import DuckDBStore
from protocol.messages import Batch, Reading

async def main(path, number):
    store = await DuckDBStore.opened(Path(path))
    while True:
        at = datetime(2026, 11, 24, 8, tzinfo=UTC) + timedelta(seconds=number)
        records = tuple(
            Reading(device="counter", at=at + timedelta(milliseconds=place), values={"value": float(number)})
            for place in range(10)
        )
        batch = Batch(
            id=UUID(int=number), gateway="g1", epoch=UUID("00000000-0000-4000-8000-000000000001"),
            seq=number, sent_at=at, records=records,
        )
        await store.commit([Arrival(batch, at)])
        print(number, flush=True)
        number += 1

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""

# Commits until the disk is full, then gives it room again and goes on.
FULL_DISK = """
import asyncio, resource, signal, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID
from hub.telemetry.contract import Arrival, SeriesKey
from hub.telemetry.duckdb_store import DuckDBStore
from protocol.errors import StoreUnavailableError
from protocol.messages import Batch, Reading

def arrival(number):
    at = datetime(2026, 11, 24, 8, tzinfo=UTC) + timedelta(seconds=number)
    records = tuple(
        Reading(device="counter", at=at + timedelta(milliseconds=place), values={f"value-{number}": f"{place}" * 64})
        for place in range(900)
    )
    batch = Batch(id=UUID(int=number), gateway="g1", epoch=UUID(int=1), seq=number, sent_at=at, records=records)
    return Arrival(batch, at)

async def main(path):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    store = await DuckDBStore.opened(Path(path))
    await store.commit([arrival(0)])
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
    number = refused = 0
    while refused < 3:
        try:
            await store.commit([arrival(number + 1)])
            number += 1
            assert number < 1000
        except StoreUnavailableError:
            refused += 1
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    for late in range(number + 1, number + 4):
        await store.commit([arrival(late)])
    known = await store.commit([arrival(late) for late in range(number + 4)])
    assert len(known.duplicates) == number + 4
    ever = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
    for late in range(number + 4):
        samples = await store.samples(SeriesKey("g1", "counter", f"value-{late}"), *ever, 2000)
        assert len(samples) == 900, (late, len(samples))
    assert len(await store.last()) == number + 4
    await store.close()
    print("kept", number)

asyncio.run(main(sys.argv[1]))
"""


def arrival(number: int, *, values: int = 1, name: str = "value") -> Arrival:
    at = T0 + timedelta(seconds=number)
    records = tuple(
        Reading(device="counter", at=at + timedelta(microseconds=place), values={name: float(number)})
        for place in range(values)
    )
    return Arrival(Batch(id=uuid7(), gateway="g1", epoch=EPOCH_ID, seq=1, sent_at=at, records=records), at)


def writing(path: Path, number: int) -> "subprocess.Popen[str]":
    """Start a process that commits from this number on."""
    return subprocess.Popen([sys.executable, "-c", WRITER, path, str(number)], stdout=subprocess.PIPE, text=True)


def said(writer: "subprocess.Popen[str]") -> int:
    assert writer.stdout is not None
    return int(writer.stdout.readline())


def printed_by(code: str, *arguments: Path) -> str:
    ran = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


async def test_kill_9_loses_nothing_acknowledged_and_doubles_nothing(tmp_path: Path) -> None:
    path = tmp_path / "telemetry.duckdb"
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    acknowledged = -1
    for _ in range(5):
        # What the last writer committed but could not say any more is offered again.
        writer = writing(path, acknowledged + 1)
        for _ in range(chance.randrange(20, 60)):
            acknowledged = said(writer)
        writer.send_signal(signal.SIGKILL)
        *whole_lines, _ = writer.communicate()[0].split("\n")
        acknowledged = max([acknowledged, *map(int, whole_lines)])
    store = await DuckDBStore.opened(path)
    samples = await store.samples(COUNTER, *EVER, 1_000_000)
    await store.close()
    written = [int(sample.value) for sample in samples]
    last = written[-1]
    assert acknowledged <= last <= acknowledged + 1, f"seed {seed}"
    assert written == [number for number in range(last + 1) for _ in range(10)]
    with duckdb.connect(path) as connection:
        assert connection.execute("SELECT count(*), count(DISTINCT instant) FROM reading").fetchall() == [
            (10 * (last + 1), 10 * (last + 1))
        ]


def test_a_full_disk_refuses_commits_until_there_is_room_again(tmp_path: Path) -> None:
    assert int(printed_by(FULL_DISK, tmp_path / "telemetry.duckdb").split()[-1]) > 0


async def test_a_second_process_is_told_whose_file_it_is(tmp_path: Path) -> None:
    path = tmp_path / "telemetry.duckdb"
    with writing(path, 0) as writer:
        said(writer)
        with pytest.raises(ConfigurationError, match="belongs to one process"):
            await DuckDBStore.opened(path)
        writer.kill()


async def test_a_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "telemetry.duckdb"
    path.write_bytes(b"not a database" * 1000)
    with pytest.raises(ConfigurationError, match=r"telemetry\.duckdb"):
        await DuckDBStore.opened(path)
    with pytest.raises(ConfigurationError, match="missing"):
        await DuckDBStore.opened(tmp_path / "missing" / "telemetry.duckdb")


async def test_types_and_newest_values_survive_closing_and_retention(tmp_path: Path) -> None:
    path = tmp_path / "telemetry.duckdb"
    keep = Retention((SeriesClass("*", "gone", timedelta(0)),), timedelta(days=1), timedelta(days=1))
    store = await DuckDBStore.opened(path)
    await store.commit([arrival(1), arrival(0), arrival(1, name="gone")])
    assert await store.retain(keep, T0 + timedelta(seconds=5)) == 1
    await store.commit([arrival(3)])
    await store.close()
    for _ in range(2):
        store = await DuckDBStore.opened(path)
        assert await store.last() == [LastValue(*COUNTER, T0 + timedelta(seconds=3), 3.0)]
        text = Reading(device="counter", at=T0, values={"value": "text", "gone": "text"})
        offered = Arrival(Batch(id=uuid7(), gateway="g1", epoch=EPOCH_ID, seq=1, sent_at=T0, records=(text,)), T0)
        assert [clash.name for clash in (await store.commit([offered])).clashes] == ["value", "gone"]
        await store.close()


async def test_newest_values_are_found_when_nothing_was_closed(tmp_path: Path) -> None:
    path = tmp_path / "telemetry.duckdb"
    writer = writing(path, 0)
    for _ in range(5):
        said(writer)
    writer.kill()
    writer.communicate()
    store = await DuckDBStore.opened(path)
    (newest,) = await store.last()
    samples = await store.samples(COUNTER, *EVER, 1_000_000)
    await store.close()
    assert (newest.at, newest.value) == samples[-1]


async def test_unknown_fields_lie_beside_their_record(tmp_path: Path) -> None:
    path = tmp_path / "telemetry.duckdb"
    store = await DuckDBStore.opened(path)
    offered = arrival(1, values=3)
    await store.commit([Arrival(offered.batch, offered.received_at, {1: {"battery": {"mv": 3700}}})])
    await store.close()
    with duckdb.connect(path) as connection:
        query = "SELECT extra ->> '$.battery.mv' FROM reading ORDER BY instant"
        assert connection.execute(query).fetchall() == [(None,), ("3700",), (None,)]


async def test_a_long_question_does_not_hold_up_commits(tmp_path: Path) -> None:
    store = await DuckDBStore.opened(tmp_path / "telemetry.duckdb", Limits(memory_mib=256, threads=1))
    await store.commit([arrival(number, values=10_000) for number in range(20)])
    async with asyncio.timeout(60):
        export = store.export(None, None, *EVER)
        first = await anext(export)
        assert first.num_rows > 0
        await store.commit([arrival(100)])
        assert (await store.last())[0].value == 100
        rest = sum([batch.num_rows async for batch in export])
    assert first.num_rows + rest == 200_000
    await store.close()


async def test_forgetting_while_commits_go_on(tmp_path: Path) -> None:
    store = await DuckDBStore.opened(tmp_path / "telemetry.duckdb")
    keep = Retention((SeriesClass("*", "old", timedelta(0)),), timedelta(days=1), timedelta(days=1))

    async def commit(name: str) -> None:
        for number in range(40):
            await store.commit([arrival(number, values=50, name=name)])

    async def retain() -> int:
        return sum([await store.retain(keep, T0 + timedelta(days=1)) for _ in range(15)])

    gone, *_ = await asyncio.gather(retain(), commit("old"), commit("value"))
    gone += await store.retain(keep, T0 + timedelta(days=1))
    assert gone == 40 * 50
    assert len(await store.samples(COUNTER, *EVER, 10_000)) == 40 * 50
    assert [last.name for last in await store.last()] == ["value"]
    await store.close()


async def test_values_that_cannot_be_stored_cost_only_their_commit(tmp_path: Path) -> None:
    store = await DuckDBStore.opened(tmp_path / "telemetry.duckdb")
    broken = Reading(device="counter", at=T0, values={"value": 1.0, "mode": "\ud800"})
    good = arrival(1)
    with pytest.raises(UnicodeError):
        await store.commit([good, Arrival(structs.replace(good.batch, id=uuid7(), records=(broken,)), T0)])
    assert await store.samples(COUNTER, *EVER, 10) == []
    assert (await store.commit([good])).duplicates == frozenset()
    assert [last.name for last in await store.last()] == ["value"]
    await store.close()


async def test_an_export_may_be_given_up_at_any_moment(tmp_path: Path) -> None:
    store = await DuckDBStore.opened(tmp_path / "telemetry.duckdb")
    await store.commit([arrival(number, values=10_000) for number in range(20)])

    async def export() -> None:
        async for _ in store.export(None, None, *EVER):
            pass

    for milliseconds in (0, 1, 5, 20, 50):
        task = asyncio.create_task(export())
        await asyncio.wait([task], timeout=milliseconds / 1_000)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert (await store.last())[0].value == 19
    async for _ in store.export(None, None, *EVER):
        break
    await store.close()


def test_memory_stays_bounded_while_a_million_rows_are_exported(tmp_path: Path) -> None:
    code = f"""
import asyncio, resource, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from test_duckdb_store import EVER, arrival
from hub.telemetry.duckdb_file import Limits
from hub.telemetry.duckdb_store import DuckDBStore

async def main():
    store = await DuckDBStore.opened(Path({str(tmp_path / "t.duckdb")!r}), Limits(memory_mib=128))
    for start in range(0, 100, 10):
        await store.commit([arrival(number * 9_000, values=10_000) for number in range(start, start + 10)])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rows = sum([batch.num_rows async for batch in store.export(None, None, *EVER)])
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    await store.close()
    print(rows, grown // 1024)

asyncio.run(main())
"""
    rows, grown_mib = map(int, printed_by(code).split())
    assert rows == 1_000_000
    assert grown_mib < 20, "all rows at once take 36 MiB"
