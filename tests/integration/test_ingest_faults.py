"""Whatever is killed, slow or away: nothing is lost, nothing is doubled, nothing is acknowledged too early."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiomqtt
import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.devices.model import Device
from hub.events.model import EventMessage
from hub.gateways.model import Gateway
from hub.ingest.model import DeadLetter, SequenceRange, TakenBatch
from hub.telemetry.contract import Arrival, Committed, SeriesKey
from hub.telemetry.duckdb_store import DuckDBStore
from protocol.clock import SystemClock
from protocol.errors import StoreUnavailableError
from protocol.messages import Batch, Event, EventState, Reading, Severity
from tests.simulators.intake import PASSWORD, Chain, running_chain
from tests.simulators.mqtt_gateway import SimulatedGateway, connected_gateway
from tests.simulators.ports import free_port

ROOT = Path(__file__).parents[2]
CLOCK = SystemClock()
START = datetime(2026, 11, 24, 8, tzinfo=UTC)


class Hampered(DuckDBStore):
    """The embedded store with a hand on its commit: away, slow, refusing one batch, or deadly after a commit."""

    away = False
    slow_s = 0.0
    refuses: int | None = None
    deadly_after: int | None = None
    commits = 0

    async def commit(self, arrivals: Sequence[Arrival]) -> Committed:
        if self.away:
            raise StoreUnavailableError("the disk is full")
        await asyncio.sleep(self.slow_s)
        if any(arrival.batch.seq == self.refuses for arrival in arrivals):
            raise OverflowError("a number that no column holds")
        committed = await super().commit(arrivals)
        self.commits += 1
        if self.commits == self.deadly_after:
            signal.raise_signal(signal.SIGKILL)
        return committed


class Counting:
    """A consumer that counts each batch that reaches it."""

    def __init__(self) -> None:
        self.taken: list[int] = []
        self.refuses: int | None = None

    async def take(self, session: AsyncSession, arrivals: Sequence[Arrival]) -> None:
        assert session.in_transaction()
        if any(arrival.batch.seq == self.refuses for arrival in arrivals):
            raise ZeroDivisionError("a bug of this consumer")
        self.taken += [arrival.batch.seq for arrival in arrivals]


def mixed(gateway: SimulatedGateway, seq: int) -> Batch:
    at = START + timedelta(seconds=seq)
    event = Event(
        device="cam-1", at=at, type="camera.dark", severity=Severity.MINOR, id=uuid4(), state=EventState.INSTANT
    )
    return gateway.batch(seq, [Reading(device="d1", at=at, values={"t": float(seq)}), event])


async def settled(gateway: SimulatedGateway, batches: Sequence[Batch], within_s: float = 20) -> None:
    """Send until everything is acknowledged, as an outbox does."""
    async with asyncio.timeout(within_s):
        while missing := [batch for batch in batches if batch.id not in gateway.acked]:
            for batch in missing:
                await gateway.send(batch)
            try:
                await gateway.until_acked(*missing, within_s=1)
            except TimeoutError:
                continue


async def stored(chain: Chain) -> tuple[list[float], int, list[tuple[int, int]]]:
    """The values of the series, how many events, and the runs of sequence numbers."""
    samples = await chain.telemetry.samples(SeriesKey("g1", "d1", "t"), START, START + timedelta(days=1), 10_000)
    async with chain.database.read() as session:
        events = await session.scalar(select(func.count()).select_from(EventMessage))
        found = await session.execute(select(SequenceRange.first, SequenceRange.last).order_by(SequenceRange.first))
        return [float(sample.value) for sample in samples], events or 0, [(row.first, row.last) for row in found]


@asynccontextmanager
async def hampered(folder: Path, counting: Counting) -> AsyncIterator[tuple[Chain, Hampered, SimulatedGateway]]:
    store = await Hampered.opened(folder / "telemetry.duckdb")
    async with running_chain(folder, telemetry=store, consumers=[counting]) as chain:
        await chain.register("g1")
        async with connected_gateway(chain.address, "g1", PASSWORD) as gateway:
            yield chain, store, gateway


async def test_a_store_that_is_away_is_waited_for_without_acknowledging(tmp_path: Path) -> None:
    counting = Counting()
    async with hampered(tmp_path, counting) as (chain, store, gateway):
        store.away = True
        batches = [mixed(gateway, seq) for seq in range(1, 6)]
        for batch in batches:
            await gateway.send(batch)
        with pytest.raises(TimeoutError):
            await gateway.until_acked(batches[0], within_s=0.5)
        with pytest.raises(StoreUnavailableError, match="disk is full"):
            await chain.intake.ingest.check()
        store.away = False
        await gateway.until_acked(*batches)
        await chain.intake.ingest.check()
        values, events, runs = await stored(chain)
        assert (values, events, runs) == ([1.0, 2.0, 3.0, 4.0, 5.0], 5, [(1, 5)])
        assert sorted(counting.taken) == [1, 2, 3, 4, 5]


async def test_a_slow_store_bounds_memory_and_drops_what_comes_again(tmp_path: Path) -> None:
    counting = Counting()
    store = await Hampered.opened(tmp_path / "telemetry.duckdb")
    settings = {"queue_batches": 8, "commit_batches": 4}
    async with running_chain(tmp_path, telemetry=store, consumers=[counting], ingest=settings) as chain:
        await chain.register("g1")
        async with connected_gateway(chain.address, "g1", PASSWORD) as gateway:
            store.slow_s = 0.2
            batches = [mixed(gateway, seq) for seq in range(1, 101)]
            for batch in batches:
                await gateway.send(batch)
            await gateway.until_acked(batches[0])
            store.slow_s = 0.0
            await settled(gateway, batches)
        values, events, runs = await stored(chain)
        assert values == [float(seq) for seq in range(1, 101)]
        assert events == 100
        assert sorted(counting.taken) == list(range(1, 101))
        assert {number for first, last in runs for number in range(first, last + 1)} == set(range(1, 101))


async def test_a_repeated_batch_is_acknowledged_again_and_changes_nothing(tmp_path: Path) -> None:
    counting = Counting()
    async with hampered(tmp_path, counting) as (chain, _, gateway):
        batch = mixed(gateway, 1)
        for _ in range(3):
            gateway.acked.clear()
            await gateway.send(batch)
            await gateway.send(batch)
            await gateway.until_acked(batch)
        values, events, runs = await stored(chain)
        assert (values, events, runs, counting.taken) == ([1.0], 1, [(1, 1)], [1])


async def test_a_batch_that_no_store_takes_becomes_a_dead_letter_and_blocks_nobody(tmp_path: Path) -> None:
    counting = Counting()
    async with hampered(tmp_path, counting) as (chain, store, gateway):
        store.refuses, counting.refuses = 3, 5
        batches = [mixed(gateway, seq) for seq in range(1, 8)]
        for batch in batches:
            await gateway.send(batch)
        first = await gateway.until_refused(str(batches[2].id))
        second = await gateway.until_refused(str(batches[4].id))
        await gateway.until_acked(*(batch for batch in batches if batch.seq not in {3, 5}))
        assert "OverflowError" in first.reason
        assert "ZeroDivisionError" in second.reason
        async with chain.database.read() as session:
            letters = {row.batch for row in await session.scalars(select(DeadLetter))}
        assert letters == {batches[2].id, batches[4].id}
        assert sorted(counting.taken) == [1, 2, 4, 6, 7]


async def test_a_revoked_gateway_is_cut_off_and_a_new_one_comes_in_while_it_runs(tmp_path: Path) -> None:
    async with hampered(tmp_path, Counting()) as (chain, _, gateway):
        await gateway.say()
        async with chain.database.write() as session:
            row = await session.get_one(Gateway, "g1")
            row.revoked_at = CLOCK.now()
        async with asyncio.timeout(5):
            await gateway.until_cut_off()
        with pytest.raises(aiomqtt.MqttError):
            async with connected_gateway(chain.address, "g1", PASSWORD):
                pass
        await chain.register("g2")
        async with connected_gateway(chain.address, "g2", PASSWORD) as second:
            batch = mixed(second, 1)
            await second.send(batch)
            await second.until_acked(batch)


WORKER = """
import asyncio, sys
from pathlib import Path
from tests.integration.test_ingest_faults import Hampered
from tests.simulators.intake import running_chain
async def main(data, port, round_number):
    store = await Hampered.opened(data / "telemetry.duckdb")
    store.deadly_after = 1 if round_number < 3 else None
    async with running_chain(data, telemetry=store, broker={"mqtt_port": port}) as chain:
        if round_number == 0:
            await chain.register("g1")
        print("ready", flush=True)
        await asyncio.Event().wait()
asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
"""


async def test_a_hub_killed_between_its_two_stores_loses_and_doubles_nothing(tmp_path: Path) -> None:
    port = free_port()
    epoch, batches, acked = uuid4(), list[Batch](), set[Any]()
    for round_number in range(4):
        deadly = round_number < 3
        worker = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            WORKER,
            tmp_path,
            str(port),
            str(round_number),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
        )
        assert worker.stdout is not None
        assert await worker.stdout.readline() == b"ready\n"
        try:
            async with connected_gateway(f"mqtt://127.0.0.1:{port}", "g1", PASSWORD, epoch=epoch) as gateway:
                gateway.acked |= acked
                batches += [mixed(gateway, len(batches) + number) for number in range(1, 4)]
                try:
                    await settled(gateway, batches, within_s=10)
                finally:
                    acked |= gateway.acked
        except (aiomqtt.MqttError, TimeoutError):
            assert deadly
        if deadly:
            assert await worker.wait() == -signal.SIGKILL
        else:
            worker.terminate()
            await worker.wait()
    assert {batch.id for batch in batches} <= acked
    async with running_chain(tmp_path) as chain:
        values, events, runs = await stored(chain)
        assert values == [float(seq) for seq in range(1, 13)]
        assert events == 12
        assert {number for first, last in runs for number in range(first, last + 1)} == set(range(1, 13))
        async with chain.database.read() as session:
            assert await session.scalar(select(func.count()).select_from(TakenBatch)) == 12
            assert (await session.scalars(select(DeadLetter))).all() == []
            assert await session.scalar(select(func.count()).select_from(Device)) == 2
