"""Bringing devices to rest: who is waited for, in which order, for how long, and what is said of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from drivers.contract import Answer, Driver
from edge import resting
from edge.resting import Resting


class Machine:
    """A device with jobs. It comes to rest when `free` is set."""

    jobs = frozenset({"turn"})

    def __init__(self, device: str, log: list[str], *, patience_s: float = 30.0, is_free: bool = True) -> None:
        self.device, self.patience_s, self._log = device, patience_s, log
        self.free = asyncio.Event()
        if is_free:
            self.free.set()

    async def work(self, job: UUID, name: str, args: dict[str, object]) -> Answer:
        raise AssertionError(f"nobody gave a job: {job} {name} {args}")

    @asynccontextmanager
    async def at_rest(self) -> AsyncIterator[None]:
        self._log.append(f"{self.device} asked")
        try:
            await self.free.wait()
            yield
        finally:
            self._log.append(f"{self.device} goes on")


class Broken(Machine):
    @asynccontextmanager
    async def at_rest(self) -> AsyncIterator[None]:
        raise ZeroDivisionError
        yield


class Plain:
    """A device that has nothing to finish."""

    device = "lamp"


async def silent(_: tuple[str, ...]) -> None:
    raise AssertionError


async def no_answer(_: tuple[str, ...]) -> None:
    """A hub that is away: nobody waits for it."""
    await asyncio.Event().wait()


def of(*machines: Driver) -> Resting:
    return Resting(lambda: {machine.device: machine for machine in machines})


@pytest.fixture(autouse=True)
def _told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resting, "_TOLD_AFTER_S", 0.05)


async def test_devices_that_do_nothing_are_at_rest_at_once_and_go_on_afterwards() -> None:
    log: list[str] = []
    async with of(Plain(), Machine("a", log), Machine("b", log)).reached(silent) as cut:
        assert cut == ()
        assert log == ["a asked", "b asked"]
    assert sorted(log[2:]) == ["a goes on", "b goes on"]


async def test_the_most_patient_come_first_and_who_is_waited_for_is_said() -> None:
    log: list[str] = []
    told: asyncio.Queue[tuple[str, ...]] = asyncio.Queue()
    press = Machine("press", log, patience_s=20.0, is_free=False)
    dock, idle = (Machine(name, log, is_free=name == "idle") for name in ("dock", "idle"))

    async def reach() -> None:
        async with of(press, dock, idle).reached(told.put) as cut:
            assert cut == ()
            log.append("switched")

    async with asyncio.timeout(20):
        reaching = asyncio.create_task(reach())
        assert await told.get() == ("dock",)
        assert log == ["dock asked", "idle asked"]
        dock.free.set()
        assert await told.get() == ("press",)
        press.free.set()
        await reaching
    assert log[:4] == ["dock asked", "idle asked", "press asked", "switched"]


async def test_jobs_are_held_from_the_moment_that_a_device_is_asked_until_it_goes_on() -> None:
    press = Machine("press", [], is_free=False)
    devices = of(press, Plain())
    asked = asyncio.Event()

    async def tell(_: tuple[str, ...]) -> None:
        asked.set()

    async def reach() -> None:
        async with devices.reached(tell):
            await asyncio.Event().wait()

    assert not devices.holds("press", "turn")
    reaching = asyncio.create_task(reach())
    async with asyncio.timeout(20):
        await asked.wait()
    assert devices.holds("press", "turn")
    assert not devices.holds("press", "stop"), "what is no job may be what ends the one under way"
    assert not devices.holds("lamp", "turn")
    reaching.cancel()
    with suppress(asyncio.CancelledError):
        await reaching
    assert not devices.holds("press", "turn")


async def test_a_device_that_does_not_come_to_rest_is_named_after_its_patience() -> None:
    log: list[str] = []
    async with of(Machine("mill", log, patience_s=0.2, is_free=False), Machine("saw", log)).reached(no_answer) as cut:
        assert cut == ("mill",)
    assert sorted(log[2:]) == ["mill goes on", "saw goes on"]


async def test_nobody_is_waited_for_longer_than_a_driver_may_ask_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resting, "LONGEST_PATIENCE_S", 0.2)
    async with of(Machine("mill", [], patience_s=float("inf"), is_free=False)).reached(no_answer) as cut:
        assert cut == ("mill",)


async def test_a_driver_with_a_bug_keeps_nothing_from_going_on() -> None:
    with capture_logs() as logged:
        async with of(Broken("broken", []), Machine("press", [])).reached(silent) as cut:
            assert cut == ()
    assert [(entry["event"], entry["device"]) for entry in logged] == [("driver_failed", "broken")]
