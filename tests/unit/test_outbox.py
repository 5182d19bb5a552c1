import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.contract import Report
from edge import shelf
from edge.outbox import Lane, Limits, Outbox, SealedBatch
from edge.store import Store
from protocol import codec
from protocol.clock import ManualClock, SystemClock
from protocol.errors import StoreUnavailableError
from protocol.messages import (
    MAX_MESSAGE_BYTES,
    Ack,
    Event,
    EventState,
    Position,
    Reading,
    Receipt,
    Record,
    Refusal,
    Severity,
)

AT = datetime(2026, 11, 24, 8, tzinfo=UTC)
ROOMY = Limits(max_bytes=1 << 30, max_age_s=86_400, batch_records=7, batch_bytes=100_000)


def reading(number: int, padding: int = 0) -> Report:
    return Report(Reading(device="d", at=AT, values={"n": float(number), **({"p": "x" * padding} if padding else {})}))


def event(number: int, images: tuple[bytes, ...] = ()) -> Report:
    return Report(
        Event(
            device="d",
            at=AT,
            type="t",
            severity=Severity.MAJOR,
            id=UUID(int=number),
            state=EventState.INSTANT,
            data={"n": number},
            images=tuple(sha256(image).hexdigest() for image in images),
        ),
        images,
    )


def numbers(records: Iterable[Record]) -> list[int]:
    return [
        int(float(record.values["n"])) if isinstance(record, Reading) else record.data["n"]
        for record in records
        if isinstance(record, Reading | Event)
    ]


def ack(*batches: UUID, images: tuple[str, ...] = ()) -> Ack:
    return Ack(batches=batches, images=images, hub_at=AT)


@asynccontextmanager
async def opened(
    folder: Path, limits: Limits = ROOMY, clock: ManualClock | None = None, ballast_bytes: int = 4096
) -> AsyncIterator[Outbox]:
    used = clock or SystemClock()
    async with Store(folder / "o.db", shelf.SCHEMA, used, group_s=0, ballast_bytes=ballast_bytes) as store:
        yield await Outbox(store, "g1", limits, used).load()


async def taken_now(outbox: Outbox, lane: Lane) -> SealedBatch | None:
    """Take a batch if the lane has records now: a transaction that began after the question has answered it."""
    taking = asyncio.create_task(outbox.take(lane))
    await asyncio.sleep(0)
    await outbox.append([])
    await asyncio.sleep(0)
    if not taking.done():
        taking.cancel()
        return None
    return await taking


async def events_until_full(outbox: Outbox, picture_bytes: int = 0) -> int:
    """Append events, each with a picture of its own if asked to, until one is turned away; return how many are kept."""
    for number in range(100_000):
        picture = number.to_bytes(4, "big") * (picture_bytes // 4)
        try:
            await outbox.append([event(number, (picture,) if picture else ())])
        except StoreUnavailableError:
            return number
    raise AssertionError("it never was full")


async def take_all(outbox: Outbox, *, confirm: bool = True) -> list[int]:
    """Seal everything that waits, the backlog first, and return the numbers in the order in which they left."""
    found: list[int] = []
    while waiting := (await outbox.status()).records - len(found) * (not confirm):
        for lane in (Lane.BACKLOG, Lane.LIVE):
            if (batch := await taken_now(outbox, lane)) is None:
                continue
            found += numbers(codec.decode_batch(batch.payload).batch.records)
            if confirm:
                await outbox.settle(ack(batch.id))
            break
        else:
            raise AssertionError(f"{waiting} records wait and none can be taken")
    return found


async def test_what_was_appended_is_there_after_a_restart_under_the_same_epoch(tmp_path: Path) -> None:
    async with opened(tmp_path) as outbox:
        await outbox.append([reading(1), reading(2)])
        epoch = outbox.epoch
    async with opened(tmp_path) as outbox:
        assert outbox.epoch == epoch
        assert (await outbox.status()).records == 2
        assert (await outbox.status()).oldest_at == AT
        assert await take_all(outbox) == [1, 2]
        assert await outbox.bytes_used() == 0


async def test_a_sealed_batch_is_the_same_bytes_for_ever(tmp_path: Path) -> None:
    async with opened(tmp_path) as outbox:
        await outbox.append([reading(number) for number in range(20)])
        first = await outbox.take(Lane.LIVE)
    async with opened(tmp_path, Limits(1 << 30, 86_400, batch_records=3, batch_bytes=2_000)) as outbox:
        await outbox.append([reading(99)])
        assert await outbox.outstanding() == (first.id,)
        assert await outbox.sealed(first.id) == first
        second = await outbox.take(Lane.LIVE)
        assert (first.seq, second.seq) == (1, 2)
        await outbox.settle(ack(first.id))
        assert await outbox.sealed(first.id) is None


async def test_a_batch_is_a_message_of_the_contract(tmp_path: Path) -> None:
    async with opened(tmp_path) as outbox:
        records = (
            reading(1).record,
            Position(device="d", at=AT, latitude=24.5, longitude=118.1),
            event(2).record,
            Receipt(device="d", at=AT, job="j", result="printed"),
        )
        await outbox.append([Report(record) for record in records])
        batch = codec.decode_batch((await outbox.take(Lane.LIVE)).payload)
        assert batch.batch.records == records
        assert batch.batch.epoch == outbox.epoch
        assert (batch.extras, batch.extra, batch.refused) == ({}, {}, ())


async def test_a_batch_is_bounded_by_bytes_but_a_large_record_still_leaves(tmp_path: Path) -> None:
    async with opened(tmp_path, Limits(1 << 30, 86_400, batch_records=100, batch_bytes=3_000)) as outbox:
        await outbox.append([reading(1), reading(2, padding=4_000), reading(3), reading(4)])
        sizes = [numbers(codec.decode_batch((await outbox.take(Lane.LIVE)).payload).batch.records) for _ in range(3)]
        assert sizes == [[1], [2], [3, 4]]


async def test_a_record_that_fits_into_no_message_is_put_aside_and_counted(tmp_path: Path) -> None:
    huge = Report(Event(device="d", at=AT, type="t", severity=Severity.INFO, id=UUID(int=1), state=EventState.INSTANT,
                        data={"n": "x" * 600_000}))  # fmt: skip
    async with opened(tmp_path) as outbox:
        await outbox.append([reading(1), huge, reading(2)])
        assert await take_all(outbox) == [1, 2]
        assert (await outbox.status()).quarantined == 1


async def test_a_picture_that_fits_into_no_message_is_put_aside_and_its_record_leaves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with opened(tmp_path) as outbox:
        await outbox.append([event(1, (b"\xff" * (MAX_MESSAGE_BYTES + 1), b"small"))])
        assert (await outbox.status()).quarantined == 1
        batch = await outbox.take(Lane.LIVE)
        assert batch.images == (sha256(b"small").hexdigest(),)
        assert await outbox.bytes_used() < 1_000
    assert capsys.readouterr().out.count("image_quarantined") == 1
    check = apsw.Connection(str(tmp_path / "o.db"))
    assert check.execute("SELECT kind, length(payload) FROM quarantine").fetchall() == [("image", MAX_MESSAGE_BYTES)]
    check.close()


async def test_what_is_fresh_does_not_wait_behind_a_backlog(tmp_path: Path) -> None:
    async with opened(tmp_path) as outbox:
        await outbox.append([reading(number) for number in range(100)])
        live = await outbox.take(Lane.LIVE)
        assert numbers(codec.decode_batch(live.payload).batch.records) == list(range(93, 100))
        await outbox.append([reading(100)])
        live = await outbox.take(Lane.LIVE)
        assert numbers(codec.decode_batch(live.payload).batch.records) == [100]
        backlog = await outbox.take(Lane.BACKLOG)
        assert numbers(codec.decode_batch(backlog.payload).batch.records) == list(range(7))


async def test_a_taker_waits_for_what_comes(tmp_path: Path) -> None:
    async with opened(tmp_path) as outbox, asyncio.TaskGroup() as parts:
        taking = parts.create_task(outbox.take(Lane.LIVE))
        await asyncio.sleep(0.02)
        assert not taking.done()
        await outbox.append([reading(5)])
        assert numbers(codec.decode_batch((await taking).payload).batch.records) == [5]


async def test_a_taker_that_gave_up_takes_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as outbox:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await outbox.take(Lane.LIVE)
        await outbox.append([reading(5)])
        assert await outbox.outstanding() == ()
        assert await take_all(outbox) == [5]


async def test_pictures_go_with_their_record_and_are_forgotten_on_their_own(tmp_path: Path) -> None:
    shared, alone = b"shared picture", b"another"
    async with opened(tmp_path) as outbox:
        await outbox.append([event(1, (shared, alone)), event(2, (shared,))])
        batch = await outbox.take(Lane.LIVE)
        digests = {sha256(image).hexdigest() for image in (shared, alone)}
        assert set(batch.images) == digests
        assert await outbox.image(sha256(shared).hexdigest()) == shared
        await outbox.settle(ack(batch.id))
        assert set(await outbox.images_left()) == digests
        await outbox.settle(ack(images=tuple(digests)))
        assert await outbox.images_left() == ()
        assert await outbox.bytes_used() == 0


async def test_what_the_hub_refuses_is_put_aside_with_its_reason(tmp_path: Path) -> None:
    async with opened(tmp_path) as outbox:
        await outbox.append([event(1, (b"picture",)), reading(2)])
        batch = await outbox.take(Lane.LIVE)
        refused = (Refusal(id=str(batch.id), reason="poison"), Refusal(id=batch.images[0], reason="no picture"))
        await outbox.settle(Ack(refused=(*refused, Refusal(id="nonsense", reason="unknown")), hub_at=AT))
        status = await outbox.status()
        assert (status.records, status.quarantined, await outbox.bytes_used()) == (0, 2, 0)
    rows = apsw.Connection(str(tmp_path / "o.db")).execute("SELECT kind, reason, payload FROM quarantine").fetchall()
    assert rows == [("batch", "poison", batch.payload), ("image", "no picture", b"picture")]


async def test_the_oldest_telemetry_makes_room_and_is_counted_while_events_stay(tmp_path: Path) -> None:
    limits = Limits(max_bytes=30_000, max_age_s=86_400, batch_records=11, batch_bytes=100_000)
    async with opened(tmp_path, limits) as outbox:
        for number in range(0, 300, 3):
            await outbox.append([reading(number, padding=40), reading(number + 1, padding=40), event(number + 2)])
        status = await outbox.status()
        assert 0 < status.dropped == 300 - status.records
        left = sorted(await take_all(outbox))
        assert [number for number in left if number % 3 == 2] == list(range(2, 300, 3))
        telemetry = [number for number in left if number % 3 != 2]
        assert len(telemetry) == status.records - 100
        assert telemetry == [number for number in range(300) if number % 3 != 2][-len(telemetry) :]


async def test_a_batch_under_way_is_not_dropped(tmp_path: Path) -> None:
    limits = Limits(max_bytes=5_000, max_age_s=86_400, batch_records=5, batch_bytes=100_000)
    async with opened(tmp_path, limits) as outbox:
        await outbox.append([reading(number) for number in range(5)])
        batch = await outbox.take(Lane.LIVE)
        for number in range(5, 100):
            await outbox.append([reading(number)])
        assert (await outbox.status()).dropped > 0
        assert await outbox.sealed(batch.id) == batch


async def test_when_only_events_are_left_the_source_is_held_back(tmp_path: Path) -> None:
    limits = Limits(max_bytes=5_000, max_age_s=86_400, batch_records=5, batch_bytes=100_000)
    async with opened(tmp_path, limits) as outbox:
        kept = await events_until_full(outbox)
        await outbox.append([reading(1)])
        status = await outbox.status()
        assert (status.records, status.dropped) == (kept, 1)
        await outbox.settle(ack((await outbox.take(Lane.LIVE)).id))
        await outbox.append([event(kept)])
        assert (await outbox.status()).records == kept - 5 + 1


async def test_age_counts_only_while_the_agent_runs(tmp_path: Path) -> None:
    limits = Limits(max_bytes=1 << 20, max_age_s=3_600, batch_records=5, batch_bytes=100_000)
    clock = ManualClock()
    async with opened(tmp_path, limits, clock) as outbox:
        await outbox.append([reading(1), event(2)])
        clock.step(10 * 86_400)
        await outbox.append([reading(3)])
        clock.advance(3_000)
        await outbox.append([reading(4)])
        assert (await outbox.status()).dropped == 0
        clock.advance(1_000)
        await outbox.append([reading(5)])
        assert (await outbox.status()).dropped == 2
    clock.advance(1_000_000)
    async with opened(tmp_path, limits, clock) as outbox:
        assert await take_all(outbox) == [2, 4, 5]


STEP = st.one_of(
    st.tuples(st.just("append"), st.integers(1, 40)),
    st.tuples(st.sampled_from(("live", "backlog")), st.just(0)),
    st.tuples(st.just("confirm"), st.integers(0, 5)),
    st.tuples(st.just("restart"), st.integers(1, 9)),
)


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(STEP, max_size=40))
def test_nothing_is_lost_doubled_or_reordered(
    steps: list[tuple[str, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    asyncio.run(_act(tmp_path_factory.mktemp("o"), steps))


async def _act(folder: Path, steps: list[tuple[str, int]]) -> None:
    """Append, drain, confirm and restart in any order and sizes; then look at every batch that was ever sealed."""
    sealed: dict[UUID, list[int]] = {}
    seqs: list[int] = []
    under_way: list[UUID] = []
    said = place = 0
    while True:
        limits = Limits(1 << 30, 86_400, batch_records=5, batch_bytes=100_000)
        async with opened(folder, limits) as outbox:
            assert set(await outbox.outstanding()) == set(under_way)
            while place < len(steps):
                step, size = steps[place]
                place += 1
                if step == "append":
                    await outbox.append([reading(said + each) for each in range(size)])
                    said += size
                elif step == "confirm":
                    await outbox.settle(ack(*under_way[size:]))
                    del under_way[size:]
                elif step == "restart":
                    break
                else:
                    if (batch := await taken_now(outbox, Lane(step))) is None:
                        continue
                    sealed[batch.id] = numbers(codec.decode_batch(batch.payload).batch.records)
                    seqs.append(batch.seq)
                    under_way.append(batch.id)
            else:
                await outbox.settle(ack(*under_way))
                rest = await take_all(outbox)
                everything = [number for batch_numbers in sealed.values() for number in batch_numbers]
                assert sorted(everything + rest) == list(range(said))
                assert all(batch == sorted(batch) for batch in sealed.values())
                assert seqs == list(range(1, len(seqs) + 1))
                return


WRITER = """
import asyncio, sys
from pathlib import Path
from tests.unit.test_outbox import *

async def main(folder: Path, first: int) -> None:
    async with Store(folder / "o.db", shelf.SCHEMA, SystemClock(), group_s=0.002, ballast_bytes=4096) as store:
        outbox = await Outbox(store, "g1", ROOMY, SystemClock()).load()

        async def speak(voice: int) -> None:
            number = first + voice
            while True:
                await outbox.append([event(number, (str(number).encode(),))])
                print("kept", number, flush=True)
                number += 3

        async def carry(lane: Lane) -> None:
            while True:
                batch = await outbox.take(lane)
                held = numbers(codec.decode_batch(batch.payload).batch.records)
                print("sealed", batch.id, batch.seq, *held, flush=True)
                if batch.seq % 2:
                    await outbox.settle(ack(batch.id, images=batch.images))

        await asyncio.gather(speak(0), speak(1), speak(2), carry(Lane.LIVE), carry(Lane.BACKLOG))

asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
"""


async def test_killed_at_any_point_it_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """Twelve lives, each ended by SIGKILL in the middle of its work."""
    root = Path(__file__).parents[2]
    kept: set[int] = set()
    sealed: dict[str, list[int]] = {}
    seqs: dict[int, str] = {}
    for life in range(12):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WRITER, str(tmp_path), str(life * 100_000),
            cwd=root, stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(root)},
        )  # fmt: skip
        assert process.stdout is not None
        output = b""
        while output.count(b"\n") < 40 + 17 * life:
            piece = await process.stdout.read(4096)
            assert piece, "the writer died by itself"
            output += piece
        process.send_signal(signal.SIGKILL)
        output += await process.stdout.read()
        await process.wait()
        for line in output[: output.rfind(b"\n")].decode().splitlines():
            match line.split():
                case ["kept", said]:
                    kept.add(int(said))
                case ["sealed", name, seq, *members]:
                    assert seqs.setdefault(int(seq), name) == name
                    sealed[name] = [int(member) for member in members]
    clock = SystemClock()
    async with Store(tmp_path / "o.db", shelf.SCHEMA, clock, group_s=0) as store:
        outbox = await Outbox(store, "g1", ROOMY, clock).load()
        for number in await outbox.outstanding():
            batch = await outbox.sealed(number)
            assert batch is not None
            held = numbers(codec.decode_batch(batch.payload).batch.records)
            assert sealed.setdefault(str(number), held) == held
            assert seqs.setdefault(batch.seq, str(number)) == str(number)
            for digest in batch.images:
                assert await outbox.image(digest) is not None
            await outbox.settle(ack(number, images=batch.images))
        rest = await take_all(outbox)
    everything = [number for held in sealed.values() for number in held] + rest
    assert len(everything) == len(set(everything))
    assert kept <= set(everything)
    assert len(kept) > 300
