"""The GPS driver against the conformance suite, on every kind of line."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from diwang.demo.patrol import Antenna, Step, Walk, Waypoint, epoch, serve
from drivers import conformance
from drivers.conformance import Candidate
from protocol.clock import SystemClock
from tests.simulators import gps_recordings, gps_units
from tests.simulators.ports import free_port

GPS = "drivers.gps:SPEC"
ROUND = Walk((Waypoint(24.5700, 118.1000), Waypoint(24.5710, 118.1000)))
Line = Callable[[Path], AbstractAsyncContextManager[Candidate]]


@asynccontextmanager
async def tcp(folder: Path) -> AsyncIterator[Candidate]:
    del folder
    nobody = {"kind": "tcp", "host": "127.0.0.1", "port": free_port()}
    async with serve(ROUND, SystemClock(), pace=50) as port:
        yield Candidate(GPS, {"source": {"kind": "tcp", "host": "127.0.0.1", "port": port}}, {"source": nobody})


@asynccontextmanager
async def gpsd(folder: Path) -> AsyncIterator[Candidate]:
    del folder
    lines = gps_recordings.gpsd_lines("mt3339")
    nobody = {"kind": "gpsd", "host": "127.0.0.1", "port": free_port()}
    async with gps_units.behind_gpsd() as unit, asyncio.TaskGroup() as tasks:
        talking = tasks.create_task(talk(unit, lines))
        yield Candidate(GPS, {"source": {"kind": "gpsd", "port": unit.port}}, {"source": nobody})
        talking.cancel()


async def talk(unit: gps_units.Unit, lines: bytes) -> None:
    while True:
        await unit.say(lines)


@asynccontextmanager
async def serial(folder: Path) -> AsyncIterator[Candidate]:
    del folder
    with gps_units.on_terminal() as (unit, path):
        os.set_blocking(unit, False)
        async with asyncio.TaskGroup() as tasks:
            talking = tasks.create_task(tick(unit))
            nobody = {"kind": "serial", "port": "/dev/no-such-port"}
            yield Candidate(GPS, {"source": {"kind": "serial", "port": path}}, {"source": nobody})
            talking.cancel()


async def tick(unit: int) -> None:
    at, antenna = datetime(2026, 11, 24, 8, tzinfo=UTC), Antenna(seed=1)
    while True:
        at += timedelta(seconds=1)
        with suppress(BlockingIOError):  # nobody reads just now: on a real port the bytes would be lost as well
            os.write(unit, epoch(at, Step(24.57, 118.10, 0.0, 0.0), antenna))
        await asyncio.sleep(0.02)


@asynccontextmanager
async def recording(folder: Path) -> AsyncIterator[Candidate]:
    source = {"kind": "file", "path": str(gps_recordings.RECEIVERS / "mt3339.log"), "speed": 100.0}
    yield Candidate(GPS, {"source": source}, {"source": {"kind": "file", "path": str(folder / "absent.nmea")}})


@pytest.mark.parametrize("line", [tcp, gpsd, serial, recording], ids=lambda line: line.__name__)
@pytest.mark.parametrize("check", conformance.CHECKS, ids=lambda check: check.__name__)
async def test_it_conforms(check: conformance.Check, line: Line, tmp_path: Path) -> None:
    async with line(tmp_path) as candidate:
        await check(candidate, tmp_path)
