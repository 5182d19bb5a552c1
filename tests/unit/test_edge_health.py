import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from drivers.contract import Report
from edge import shelf
from edge.backoff import delays
from edge.config import Config, Gateway, Hub, Positions, Uplink
from edge.config import Health as HealthSection
from edge.config import Outbox as OutboxSection
from edge.health import Health
from edge.hub_clock import HubClock
from edge.intake import Intake
from edge.notify import Notifier
from edge.outbox import Lane, Limits, Outbox
from edge.ring import Ring, entries
from edge.store import Store
from protocol import codec
from protocol.clock import ManualClock, SystemClock
from protocol.messages import Event, EventState, Reading, Record

AT = datetime(2026, 11, 24, 8, tzinfo=UTC)


class Watched:
    def __init__(self, health: Health, outbox: Outbox, intake: Intake, clock: ManualClock, hub_clock: HubClock) -> None:
        self.health = health
        self.outbox = outbox
        self.intake = intake
        self.clock = clock
        self.hub_clock = hub_clock

    async def look(self) -> list[Record]:
        """Take a look and return what it reported."""
        await self.health.look()
        await self.intake.flush()
        batch = await self.outbox.take(Lane.LIVE)
        return list(codec.decode_batch(batch.payload).batch.records)


@asynccontextmanager
async def watched(folder: Path, *, disk_low_bytes: int = 0, max_bytes: int = 1 << 30) -> AsyncIterator[Watched]:
    config = Config(
        gateway=Gateway(id="g1", data=str(folder)),
        hub=Hub(broker="mqtt://127.0.0.1"),
        outbox=OutboxSection(),
        uplink=Uplink(),
        positions=Positions(),
        health=HealthSection(disk_low_bytes=disk_low_bytes),
        devices={},
    )
    clock = ManualClock()
    hub_clock = HubClock(clock)
    async with Store(folder / "o.db", shelf.SCHEMA, SystemClock(), group_s=0, ballast_bytes=4096) as store:
        outbox = await Outbox(store, "g1", Limits(max_bytes, 86_400, 500, 100_000), clock).load()
        intake = Intake(outbox)
        async with asyncio.TaskGroup() as parts:
            keeping = parts.create_task(intake.run())
            yield Watched(Health(config, outbox, intake, hub_clock, clock), outbox, intake, clock, hub_clock)
            keeping.cancel()


async def test_the_box_reports_its_figures(tmp_path: Path) -> None:
    async with watched(tmp_path) as box:
        box.clock.advance(60)
        box.hub_clock.hear(box.clock.now() + timedelta(seconds=30))
        (reading,) = await box.look()
        assert isinstance(reading, Reading)
        assert reading.device == "gateway"
        assert reading.values["clock_offset_s"] == 30
        assert reading.values["outbox_records"] == 0
        assert float(reading.values["rss_bytes"]) > 1 << 20
        assert 0 <= float(reading.values["cpu_share"]) < 2
        assert reading.values["outbox_bytes_per_day"] == 0
        box.clock.advance(60)
        (after,) = await box.look()
        assert isinstance(after, Reading)
        assert 100 * 1440 < float(after.values["outbox_bytes_per_day"]) < 2_000 * 1440  # its own reading, once a minute
        assert all(isinstance(value, float) for value in reading.values.values())


async def test_a_clock_that_jumps_is_an_event_and_a_clock_that_runs_is_not(tmp_path: Path) -> None:
    async with watched(tmp_path) as box:
        box.clock.advance(3_600)
        assert [record.__struct_config__.tag for record in await box.look()] == ["reading"]
        box.hub_clock.hear(AT)
        box.clock.step(-7_200)
        event, _ = await box.look()
        assert isinstance(event, Event)
        assert (event.type, event.data) == ("clock.stepped", {"seconds": -7_200.0})
        assert box.hub_clock.offset_s is None
        assert len(await box.look()) == 1


async def test_a_clock_that_jumps_again_while_the_first_jump_is_reported_is_two_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watched(tmp_path) as box:
        put = box.intake.put

        async def jumping(report: Report) -> None:
            await put(report)
            if isinstance(report.record, Event) and report.record.data["seconds"] == 600:
                box.clock.step(-86_400)

        monkeypatch.setattr(box.intake, "put", jumping)
        box.clock.step(600)
        records = await box.look()
        records += await box.look()
        assert [each.data["seconds"] for each in records if isinstance(each, Event)] == [600, -86_400]


async def test_a_disk_that_runs_full_begins_and_ends_one_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = 10
    monkeypatch.setattr("edge.health.disk_free", lambda _: free)
    async with watched(tmp_path, disk_low_bytes=100) as box:
        began, _ = await box.look()
        assert len(await box.look()) == 1
        free = 1_000
        ended, _ = await box.look()
        assert isinstance(began, Event)
        assert isinstance(ended, Event)
        assert (began.type, began.state, ended.state) == ("disk.low", EventState.BEGAN, EventState.ENDED)
        assert began.id == ended.id


async def test_what_had_to_be_dropped_is_reported(tmp_path: Path) -> None:
    async with watched(tmp_path, max_bytes=4_000) as box:
        await box.look()
        for number in range(100):
            await box.outbox.append([Report(Reading(device="d", at=AT, values={"n": float(number)}))])
        dropped = (await box.outbox.status()).dropped
        records = await box.look()
        (event,) = (record for record in records if isinstance(record, Event))
        assert (event.type, event.data["records"]) == ("outbox.dropped", dropped)
        assert dropped > 0


def test_the_hubs_clock_is_the_fastest_answers() -> None:
    clock = ManualClock()
    hub = HubClock(clock)
    assert hub.offset_s is None
    assert hub.now() == clock.now()
    for delay_s in (0.9, 0.05, 0.4):
        hub.hear(clock.now() + timedelta(seconds=100 - delay_s))
    assert hub.offset_s == pytest.approx(99.95)
    assert hub.now() == clock.now() + timedelta(seconds=99.95)


def test_the_ring_keeps_the_newest_within_its_bytes(tmp_path: Path) -> None:
    ring = Ring(tmp_path, max_bytes=16_000)
    for number in range(1_000):
        ring.write(AT + timedelta(seconds=number), b"%04d" % number * 10)
    ring.close()
    kept = [payload for _, payload in entries(tmp_path)]
    assert kept == [b"%04d" % number * 10 for number in range(1_000 - len(kept), 1_000)]
    assert len(kept) > 200
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 16_000
    again = Ring(tmp_path, max_bytes=16_000)
    again.write(AT, b"after a restart")
    again.close()
    newest = list(entries(tmp_path))[-1]
    assert newest == (AT, b"after a restart")


def test_a_full_disk_costs_entries_and_leaves_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    room = 20

    def write(descriptor: int, entry: bytes) -> int:
        nonlocal room
        taken = min(room, len(entry))
        if not taken:
            raise OSError(errno.ENOSPC, "no space left on device")
        room -= taken
        return really_write(descriptor, entry[:taken])

    really_write = os.write
    ring = Ring(tmp_path / "raw", 10_000)
    monkeypatch.setattr("edge.ring.os.write", write)
    for number in range(50):
        ring.write(AT, b"%07d" % number)
    room = 1_000
    ring.write(AT, b"again")
    ring.close()
    assert [payload for _, payload in entries(tmp_path / "raw")] == [b"0000000", b"again"]
    assert len(list((tmp_path / "raw").iterdir())) == 2
    assert capsys.readouterr().out.count("raw_data_not_kept") == 1


def test_a_torn_entry_ends_its_segment_only(tmp_path: Path) -> None:
    for payloads in ((b"one", b"two"), (b"three",)):
        ring = Ring(tmp_path, max_bytes=1 << 20)
        for payload in payloads:
            ring.write(AT, payload)
        ring.close()
    first = min(tmp_path.iterdir())
    first.write_bytes(first.read_bytes()[:-1])
    assert [payload for _, payload in entries(tmp_path)] == [b"one", b"three"]


def test_waits_grow_to_their_bound_with_some_chance() -> None:
    waits = delays(Random(1), first_s=1, most_s=60)
    found = [next(waits) for _ in range(12)]
    assert all(0.5 * min(2**place, 60) <= wait <= min(2**place, 60) for place, wait in enumerate(found))


async def test_systemd_hears_that_it_lives_only_while_the_outbox_answers(tmp_path: Path) -> None:
    heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    heard.bind(str(tmp_path / "notify"))
    heard.settimeout(5)
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "20000"})
    notifier.ready()
    assert heard.recv(100) == b"READY=1"
    answers = asyncio.Queue[None]()
    feeding = asyncio.create_task(notifier.feed_watchdog(answers.get))
    answers.put_nowait(None)
    assert await asyncio.to_thread(heard.recv, 100) == b"WATCHDOG=1"
    await asyncio.sleep(0.05)
    heard.settimeout(0)
    with pytest.raises(BlockingIOError):
        heard.recv(100)
    feeding.cancel()
    notifier.stopping()
    assert heard.recv(100) == b"STOPPING=1"
    heard.close()
    Notifier({}).ready()
    await Notifier({}).feed_watchdog(answers.get)
