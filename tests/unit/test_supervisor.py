import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from drivers.contract import Answer, Health, Raw, Report
from edge import shelf
from edge.board import Board
from edge.config import Config, Device, Gateway, Hub, Positions, Uplink
from edge.config import Health as HealthSection
from edge.config import Outbox as OutboxSection
from edge.intake import Intake
from edge.outbox import Lane, Limits, Outbox
from edge.ring import entries
from edge.store import Store
from edge.supervisor import Supervisor
from protocol import codec
from protocol.clock import SystemClock
from protocol.errors import DeviceRefusedError, DeviceUnreachableError
from protocol.messages import DeviceState, Event, EventState, Position, Reading, Record, Severity
from tests.simulators.scripted_driver import SCRIPTS, Item, Script

NOW = SystemClock().now()
JOB = SystemClock().new_id()


async def silence() -> AsyncIterator[Item]:
    await asyncio.Event().wait()
    yield Health(DeviceState.OK)


def says(*items: Item, then: Exception | None = None) -> Callable[[], AsyncIterator[Item]]:
    async def act() -> AsyncIterator[Item]:
        for item in items:
            yield item
        if then is not None:
            raise then
        async for item in silence():
            yield item

    return act


def reading(number: float) -> Report:
    return Report(Reading(device="a", at=NOW, values={"n": number}))


def event(data: dict[str, Any]) -> Event:
    return Event(
        device="a", at=NOW, type="t", severity=Severity.INFO, id=UUID(int=1), state=EventState.INSTANT, data=data
    )


DEEP: dict[str, Any] = {}
for _ in range(200):
    DEEP = {"deeper": DEEP}


@dataclass
class Box:
    outbox: Outbox
    board: Board
    supervisor: Supervisor
    intake: Intake
    folder: Path

    async def until(self, condition: Callable[[], bool | Awaitable[bool]]) -> None:
        async with asyncio.timeout(10):
            while True:
                met = condition()
                if met if isinstance(met, bool) else await met:
                    return
                await asyncio.sleep(0.005)

    def status(self, device: str) -> DeviceState:
        return next(status.status for status in self.board.statuses if status.device == device)

    async def records(self, count: int) -> list[Record]:
        found: list[Record] = []
        async with asyncio.timeout(10):
            while len(found) < count:
                batch = await self.outbox.take(Lane.LIVE)
                found += codec.decode_batch(batch.payload).batch.records
        return found


@asynccontextmanager
async def running(folder: Path, *, thin: bool = True, **scripts: Script) -> AsyncIterator[Box]:
    SCRIPTS.clear()
    SCRIPTS.update(scripts)
    config = Config(
        gateway=Gateway(id="g1", data=str(folder)),
        hub=Hub(broker="mqtt://127.0.0.1"),
        outbox=OutboxSection(),
        uplink=Uplink(),
        positions=Positions(),
        health=HealthSection(),
        devices={name: Device(driver="tests.simulators.scripted_driver:SPEC", thin=thin) for name in scripts},
    )
    clock = SystemClock()
    async with Store(folder / "o.db", shelf.SCHEMA, clock, group_s=0, ballast_bytes=4096) as store:
        outbox = await Outbox(store, "g1", Limits(1 << 30, 86_400, 500, 100_000), clock).load()
        intake = Intake(outbox)
        board = Board(((name, "scripted") for name in scripts), clock)
        supervisor = Supervisor(config, board, intake, clock)
        async with asyncio.TaskGroup() as parts:
            keeping = parts.create_task(intake.run())
            devices = parts.create_task(supervisor.run())
            yield Box(outbox, board, supervisor, intake, folder)
            devices.cancel()
            await asyncio.wait((devices,), timeout=5)
            assert devices.done()
            keeping.cancel()
    assert all(script.opened == script.closed for script in scripts.values())


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.supervisor.delays", lambda _: iter(lambda: 0.01, None))


async def test_one_device_that_fails_in_every_way_does_not_disturb_another(tmp_path: Path) -> None:
    bad = Script([says(then=error) for error in (DeviceUnreachableError("off"), KeyError("bug"), TimeoutError())])
    good = Script([says(*(reading(number) for number in range(50)))])
    async with running(tmp_path, bad=bad, a=good) as box:
        assert len(await box.records(50)) == 50
        await box.until(lambda: bad.opened > 5)
        assert (good.opened, box.status("a"), box.status("bad")) == (1, DeviceState.OK, DeviceState.LOST)
    assert good.released[-1] == 50


async def test_lost_and_back_are_said_once_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    off = says(then=DeviceUnreachableError("off"))
    script = Script([says(reading(1), then=DeviceUnreachableError("off")), *([off] * 6), says(reading(2))])
    async with running(tmp_path, a=script) as box:
        await box.until(lambda: script.opened == 8 and box.status("a") is DeviceState.OK)
        said = capsys.readouterr().out
    assert said.count("device_is_lost") == 1
    assert said.count("device_is_ok") == 2


async def test_a_refusal_for_good_stops_the_device_until_it_is_restarted(tmp_path: Path) -> None:
    script = Script([says(then=DeviceRefusedError("wrong key")), says(reading(1))])
    async with running(tmp_path, a=script) as box:
        await box.until(lambda: box.status("a") is DeviceState.STOPPED)
        await asyncio.sleep(0.05)
        assert script.opened == 1
        box.supervisor.restart("a")
        await box.until(lambda: box.status("a") is DeviceState.OK)
    with pytest.raises(DeviceUnreachableError):
        box.supervisor.restart("nobody")


async def test_a_driver_that_swallows_its_cancellation_is_stopped_all_the_same(tmp_path: Path) -> None:
    async def stubborn() -> AsyncIterator[Item]:
        number = 0.0
        while True:
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                number += 1_000
            yield reading(number)

    async def leaking() -> AsyncIterator[Item]:
        yield reading(1)
        try:
            async with asyncio.TaskGroup() as group:  # leaves a trace in `cancelling()` of its task in Python 3.11
                group.create_task(_fail())
        except* OSError as error:
            raise DeviceUnreachableError("off") from error

    first, second = Script([stubborn]), Script([leaking])
    async with running(tmp_path, a=first, b=second) as box:
        await box.until(lambda: second.opened > 5)
        box.supervisor.restart("a")
        await box.until(lambda: first.opened == 2)
        assert first.closed == 1


async def _fail() -> None:
    raise OSError


async def test_a_cancellation_that_nobody_asked_for_is_a_failure_like_any_other(tmp_path: Path) -> None:
    async def given_up() -> AsyncIterator[Item]:
        answer: asyncio.Future[Item] = asyncio.get_running_loop().create_future()
        answer.cancel()  # as a library does with what waits on a connection that it drops
        yield await answer

    script = Script([given_up, says(reading(1))])
    async with running(tmp_path, a=script) as box:
        await box.until(lambda: script.opened == 2 and box.status("a") is DeviceState.OK)
        assert [each.device for each in await box.records(1)] == ["a"]


async def test_what_a_device_says_is_closed_before_the_device(tmp_path: Path) -> None:
    closings: list[int] = []
    script = Script([])

    async def act() -> AsyncIterator[Item]:
        try:
            yield Raw("no bytes")  # type: ignore[arg-type] # so that whoever listens fails, not the device
        finally:
            await asyncio.sleep(0)
            closings.append(script.closed)

    script.acts = [act, silence]
    async with running(tmp_path, a=script) as box:
        await box.until(lambda: script.opened == 2)
        assert closings == [0]


@pytest.mark.parametrize(
    "record",
    [
        Reading(device="a", at=NOW, values={"n": float("nan")}),
        Reading(device="no level", at=NOW, values={"n": 1.0}),
        Reading(device="a", at=NOW.replace(tzinfo=None), values={"n": 1.0}),
        Reading(device="a", at=NOW, values={"n": object()}),  # type: ignore[dict-item]
        Reading(device="a", at=NOW, values={"n": "\ud800"}),
        event({"half": "\ud800"}),
        event(DEEP),
        "no record at all",
    ],
)
async def test_nonsense_from_a_driver_is_put_aside_and_nothing_else_suffers(
    tmp_path: Path, record: Record, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running(tmp_path, a=Script([says(reading(1), Report(record), reading(2))])) as box:
        assert len(await box.records(2)) == 2
        status = await box.outbox.status()
        assert (status.records, status.quarantined) == (2, 1)
        assert box.status("a") is DeviceState.OK
        assert capsys.readouterr().out.count("record_quarantined") == 1


async def test_nonsense_in_answer_to_a_command_is_a_refusal(tmp_path: Path) -> None:
    async with running(tmp_path, a=Script([says(reading(1))])) as box:
        await box.records(1)
        with pytest.raises(DeviceRefusedError, match="int"):
            await box.supervisor.obey("a", "shout", {"nonsense": 7}, JOB)


async def test_a_device_may_be_unwell_without_being_lost(tmp_path: Path) -> None:
    script = Script([says(Health(DeviceState.DEGRADED, "dirty lens"), reading(1))])
    async with running(tmp_path, a=script) as box:
        await box.records(1)
        assert box.status("a") is DeviceState.DEGRADED
        assert box.board.statuses[0].detail == "dirty lens"


async def test_a_unit_at_rest_sends_a_few_fixes_and_the_last_one(tmp_path: Path) -> None:
    fixes = [
        Report(Position(device="a", at=NOW + timedelta(seconds=second), latitude=24.57, longitude=118.1))
        for second in range(605)
    ]
    async with running(tmp_path, a=Script([says(*fixes, then=DeviceUnreachableError("off")), silence])) as box:
        await box.until(lambda: SCRIPTS["a"].opened == 2)
        await box.intake.flush()
        kept = await box.records((await box.outbox.status()).records)
        assert 10 <= len(kept) <= 15
        assert kept[-1].at == fixes[-1].record.at


async def test_raw_bytes_stay_in_the_ring(tmp_path: Path) -> None:
    async with running(tmp_path, a=Script([says(Raw(b"$GPGGA"), Raw(b"\x00\xff"), reading(1))])) as box:
        await box.records(1)
    assert [payload for _, payload in entries(tmp_path / "devices" / "a" / "raw")] == [b"$GPGGA", b"\x00\xff"]


async def test_commands_reach_open_devices_only(tmp_path: Path) -> None:
    off = Script([says(then=DeviceRefusedError("never"))])
    async with running(tmp_path, a=Script([says(reading(1))]), off=off) as box:
        await box.records(1)
        await box.until(lambda: box.status("off") is DeviceState.STOPPED)
        assert await box.supervisor.obey("a", "shout", {}, JOB) == Answer({"name": "shout"})
        assert await box.supervisor.obey("a", "dance", {}, JOB) is None
        assert await box.supervisor.obey("nobody", "shout", {}, JOB) is None
        with pytest.raises(DeviceRefusedError, match="not now"):
            await box.supervisor.obey("a", "shout", {"no": True}, JOB)
        with pytest.raises(DeviceRefusedError, match="KeyError"):
            await box.supervisor.obey("a", "shout", {"bug": True}, JOB)
        with pytest.raises(DeviceUnreachableError):
            await box.supervisor.obey("off", "shout", {}, JOB)
