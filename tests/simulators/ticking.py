"""Drivers of a device that ticks, for the tests of registry and conformance suite: one is sound, the others are not.

Named by place, as a site names its own: "tests.simulators.ticking:SPEC".
"""

import asyncio
import subprocess
import threading
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from drivers.contract import Answer, DriverSpec, Health, Options, Raw, Report
from protocol.clock import Clock
from protocol.errors import DeviceRefusedError, DeviceUnreachableError
from protocol.messages import DeviceState, Event, EventState, Reading, Record, Severity


class TickingOptions(Options, frozen=True, kw_only=True):
    there: bool = True
    every_s: float = 0.001


class Ticking:
    commands = frozenset({"tick"})

    def __init__(self, device: str, options: TickingOptions, clock: Clock) -> None:
        self.device = device
        self.clock = clock
        self._options = options

    async def reports(self) -> AsyncIterator[Report | Health | Raw]:
        yield Raw(b"tick")
        yield Health(DeviceState.OK)
        while True:
            await asyncio.sleep(self._options.every_s)
            yield Report(self.record())

    def record(self) -> Record:
        return Reading(device=self.device, at=self.clock.now(), values={"ticks": 1.0})

    async def obey(self, name: str, args: dict[str, Any]) -> Answer:
        if name not in self.commands or args:
            raise DeviceRefusedError(f"{name} {args}")
        return Answer({"ticked": True})


@asynccontextmanager
async def open_ticking(device: str, options: TickingOptions, clock: Clock, folder: Path) -> AsyncIterator[Ticking]:
    (folder / "opened").touch()
    if not options.there:
        raise DeviceUnreachableError(f"{device} does not tick")
    yield Ticking(device, options, clock)


def spec(opener: Any) -> DriverSpec:
    return DriverSpec(name="ticking", summary="Ticks", options=TickingOptions, open=opener)


SPEC = spec(open_ticking)


@asynccontextmanager
async def _leaving_a_task(device: str, options: TickingOptions, clock: Clock, folder: Path) -> AsyncIterator[Ticking]:
    task = asyncio.create_task(asyncio.Event().wait())
    forgotten.callback(task.cancel)
    async with open_ticking(device, options, clock, folder) as driver:
        yield driver


@asynccontextmanager
async def _leaving_a_thread(device: str, options: TickingOptions, clock: Clock, folder: Path) -> AsyncIterator[Ticking]:
    release = threading.Event()
    threading.Thread(target=release.wait, daemon=True).start()
    forgotten.callback(release.set)
    async with open_ticking(device, options, clock, folder) as driver:
        yield driver


@asynccontextmanager
async def _leaving_a_file(device: str, options: TickingOptions, clock: Clock, folder: Path) -> AsyncIterator[Ticking]:
    forgotten.enter_context((folder / "opened").open("w"))
    async with open_ticking(device, options, clock, folder) as driver:
        yield driver


@asynccontextmanager
async def _leaving_a_child(device: str, options: TickingOptions, clock: Clock, folder: Path) -> AsyncIterator[Ticking]:
    child = forgotten.enter_context(subprocess.Popen(["sleep", "60"]))  # noqa: ASYNC220 - it is meant to be wrong
    forgotten.callback(child.kill)
    async with open_ticking(device, options, clock, folder) as driver:
        yield driver


@asynccontextmanager
async def _swallowing(device: str, options: TickingOptions, clock: Clock, folder: Path) -> AsyncIterator[Ticking]:
    async with open_ticking(device, options, clock, folder) as driver:
        try:
            yield driver
        except ZeroDivisionError:
            return


@asynccontextmanager
async def _always_there(device: str, options: TickingOptions, clock: Clock, folder: Path) -> AsyncIterator[Ticking]:
    async with open_ticking(device, TickingOptions(every_s=options.every_s), clock, folder) as driver:
        yield driver


class _InLocalTime(Ticking):
    def record(self) -> Record:
        at = datetime.now(timezone(timedelta(hours=8)))
        return Reading(device=self.device, at=at, values={"ticks": 1.0})


class _OfAnother(Ticking):
    def record(self) -> Record:
        return Reading(device="another", at=self.clock.now(), values={"ticks": 1.0})


class _Pictureless(Ticking):
    def record(self) -> Record:
        return Event(
            device=self.device,
            at=self.clock.now(),
            type="ticking.seen",
            severity=Severity.INFO,
            id=self.clock.new_id(),
            state=EventState.INSTANT,
            images=("0" * 64,),
        )


class _NotANumber(Ticking):
    def record(self) -> Record:
        return Reading(device=self.device, at=self.clock.now(), values={"ticks": float("nan")})


class _Obliging(Ticking):
    async def obey(self, name: str, args: dict[str, Any]) -> Answer:
        return Answer({name: args})


class _Restless(Ticking):
    patience_s = 600.0

    @asynccontextmanager
    async def at_rest(self) -> AsyncIterator[None]:
        await asyncio.Event().wait()
        yield


class _TooPatient(_Restless):
    patience_s = 3600.0


def _of(kind: type[Ticking]) -> DriverSpec:
    @asynccontextmanager
    async def opener(device: str, options: TickingOptions, clock: Clock, folder: Path) -> AsyncIterator[Ticking]:
        async with open_ticking(device, options, clock, folder):
            yield kind(device, options, clock)

    return spec(opener)


forgotten = ExitStack()
"""Where the unsound ones put what they leave behind, for the test to clear away."""

LEAVES_A_TASK = spec(_leaving_a_task)
LEAVES_A_THREAD = spec(_leaving_a_thread)
LEAVES_A_FILE = spec(_leaving_a_file)
LEAVES_A_CHILD = spec(_leaving_a_child)
SWALLOWS_ERRORS = spec(_swallowing)
IS_ALWAYS_THERE = spec(_always_there)
IN_LOCAL_TIME = _of(_InLocalTime)
OF_ANOTHER_DEVICE = _of(_OfAnother)
WITHOUT_ITS_PICTURE = _of(_Pictureless)
NOT_A_NUMBER = _of(_NotANumber)
OBEYS_ANYTHING = _of(_Obliging)
NEVER_RESTS = _of(_Restless)
IS_TOO_PATIENT = _of(_TooPatient)
NO_SPEC = "SPEC"
