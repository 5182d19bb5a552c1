"""The GPS driver on real lines: a pseudo-terminal, TCP, gpsd's socket and a recording; with cuts and half sentences."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from diwang.demo.patrol import Antenna, Step, epoch
from drivers.contract import Health, Obeys, Raw, Report, Reports
from drivers.registry import open_driver, validate
from protocol.clock import SystemClock
from protocol.errors import ConfigurationError, DeviceRefusedError, DeviceUnreachableError
from protocol.messages import DeviceState, Position, Reading
from tests.simulators import gps_recordings, gps_units

ROOT = Path(__file__).parents[2]
GPS = "drivers.gps:SPEC"
START = datetime(2026, 11, 24, 8, tzinfo=UTC)
HERE = Step(24.57, 118.10, 1.3, 45.0)
NO_FIX = b"$GPRMC,,V,,,,,,,,,,N*53\r\n"


def second(number: int) -> bytes:
    return epoch(START + timedelta(seconds=number), HERE, Antenna(seed=number))


@asynccontextmanager
async def listening(
    folder: Path, source: dict[str, Any], **options: Any
) -> AsyncIterator[tuple[Reports, AsyncIterator[Report | Health | Raw]]]:
    opening = open_driver(GPS, "van-7", {"source": source, **options}, SystemClock(), folder)
    async with asyncio.timeout(20), opening as driver:
        assert isinstance(driver, Reports)
        said = driver.reports()
        assert isinstance(said, AsyncGenerator)
        async with aclosing(said):
            yield driver, said


async def next_position(said: AsyncIterator[Report | Health | Raw]) -> Position:
    async for one in said:
        if isinstance(one, Report) and isinstance(one.record, Position):
            return one.record
    raise AssertionError("no position any more")


async def test_tcp_in_half_sentences_gives_every_fix_once(tmp_path: Path) -> None:
    async with (
        gps_units.on_tcp() as unit,
        listening(tmp_path, {"kind": "tcp", "host": "127.0.0.1", "port": unit.port}) as (
            _,
            said,
        ),
    ):
        await unit.connected()
        stream = b"".join(second(number) for number in range(3))
        saying = asyncio.create_task(unit.say(*(stream[start : start + 97] for start in range(0, len(stream), 97))))
        positions = [await next_position(said) for _ in range(3)]
        await saying
    assert [position.at for position in positions] == [START + timedelta(seconds=number) for number in range(3)]
    assert all(position.satellites == 12 and position.cn0_mean_db for position in positions)


async def test_an_epoch_is_told_when_the_line_falls_quiet_not_when_the_next_one_comes(tmp_path: Path) -> None:
    async with (
        gps_units.on_tcp() as unit,
        listening(tmp_path, {"kind": "tcp", "host": "127.0.0.1", "port": unit.port}) as (
            _,
            said,
        ),
    ):
        await unit.connected()
        await unit.say(second(0))
        raw = await anext(said)
        assert isinstance(raw, Raw)
        assert raw.payload == second(0)
        assert (await next_position(said)).at == START


async def test_a_unit_that_hangs_up_is_lost_and_what_it_said_is_not(tmp_path: Path) -> None:
    async with (
        gps_units.on_tcp() as unit,
        listening(tmp_path, {"kind": "tcp", "host": "127.0.0.1", "port": unit.port}) as (
            _,
            said,
        ),
    ):
        await unit.connected()
        await unit.say(second(0) + second(1) + second(2)[:60])
        assert [(await next_position(said)).at.second for _ in range(2)] == [0, 1]
        unit.hang_up()
        with pytest.raises(DeviceUnreachableError):
            await next_position(said)


async def test_the_last_epoch_before_a_cut_is_told(tmp_path: Path) -> None:
    async with (
        gps_units.on_tcp() as unit,
        listening(tmp_path, {"kind": "tcp", "host": "127.0.0.1", "port": unit.port}) as (
            _,
            said,
        ),
    ):
        await unit.connected()
        await unit.say(second(0))
        unit.hang_up()
        assert (await next_position(said)).at == START
        with pytest.raises(DeviceUnreachableError):
            await next_position(said)


async def test_a_half_open_line_is_lost(tmp_path: Path) -> None:
    source = {"kind": "tcp", "host": "127.0.0.1"}
    async with (
        gps_units.on_tcp() as unit,
        listening(tmp_path, {**source, "port": unit.port}, silent_after_s=0.5) as (_, said),
    ):
        await unit.connected()
        await unit.say(second(0))
        assert (await next_position(said)).at == START
        with pytest.raises(DeviceUnreachableError, match="silent"):
            await next_position(said)


async def test_without_a_fix_it_is_degraded_once_and_well_again_once(tmp_path: Path) -> None:
    source = {"kind": "tcp", "host": "127.0.0.1"}
    async with (
        gps_units.on_tcp() as unit,
        listening(tmp_path, {**source, "port": unit.port}, no_fix_after_s=0.3) as (driver, said),
    ):
        await unit.connected()
        await unit.say(*[NO_FIX] * 5)
        while not isinstance(news := await anext(said), Health):
            assert isinstance(news, Raw)
        assert news.status == DeviceState.DEGRADED
        assert "status V" in news.detail
        assert isinstance(driver, Obeys)
        with pytest.raises(DeviceRefusedError, match="no fix yet"):
            await driver.obey("locate", {})
        await unit.say(second(0))
        while not isinstance(news := await anext(said), Health):
            assert isinstance(news, Raw)
        assert news == Health(DeviceState.OK)
        assert (await next_position(said)).at == START
        assert (await driver.obey("locate", {})).data["position"]["latitude"] == pytest.approx(24.57, abs=1e-3)


async def test_what_was_refused_is_reported(tmp_path: Path) -> None:
    source = {"kind": "tcp", "host": "127.0.0.1"}
    async with (
        gps_units.on_tcp() as unit,
        listening(tmp_path, {**source, "port": unit.port}, counters_every_s=0.6) as (_, said),
    ):
        await unit.connected()
        await unit.say(second(0), b"$GPGGA,1*00\r\n", b"$GPGGA,1\r\n", second(0), NO_FIX)
        while not (isinstance(one := await anext(said), Report) and isinstance(one.record, Reading)):
            pass
    counts = one.record.values
    assert counts["bad_checksum"] == counts["unchecked"] == counts["no_fix"] == 1
    assert counts["sentences"] == 2 * second(0).count(b"$") + 1


async def test_a_serial_port_with_binary_noise_gives_every_fix(tmp_path: Path) -> None:
    with gps_units.on_terminal() as (unit, path):
        async with listening(tmp_path, {"kind": "serial", "port": path, "baud": 115_200}) as (_, said):
            for number in range(4):
                burst = b"\xb5b\x01\x07$\x00\x11" + second(number) + b"$GPG"
                for start in range(0, len(burst), 200):
                    os.write(unit, burst[start : start + 200])
                    await asyncio.sleep(0.001)
            assert [(await next_position(said)).at.second for _ in range(4)] == [0, 1, 2, 3]


async def test_a_receiver_is_set_up_as_its_profile_says_each_time_that_it_is_opened(tmp_path: Path) -> None:
    source = {"kind": "serial", "profile": "quectel-l76k", "setup": ["rate-1hz", "gps-beidou"]}
    with gps_units.on_terminal() as (unit, path):
        for number in range(2):
            async with listening(tmp_path, {**source, "port": path}) as (_, said):
                os.write(unit, second(number))
                await next_position(said)
                assert os.read(unit, 4096) == b"$PCAS02,1000*2E\r\n$PCAS04,3*1A\r\n"


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"setup": ["rate-1hz"]}, "needs the `profile`"),
        ({"profile": "sundial"}, "known: .*quectel-l76k"),
        ({"profile": "quectel-l76k", "setup": ["warp-9"]}, "has no warp-9; known: rate-1hz"),
        ({"profile": "quectel-l76k", "setup": ["baud-9600"]}, "has no baud-9600"),
    ],
)
def test_a_set_up_that_the_receiver_does_not_know_is_refused(wrong: dict[str, object], why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        validate(GPS, "van-7", {"source": {"kind": "serial", "port": "/dev/ttyUSB0", **wrong}})


async def test_a_serial_port_that_is_pulled_out_is_lost(tmp_path: Path) -> None:
    with gps_units.on_terminal() as (unit, path):
        async with listening(tmp_path, {"kind": "serial", "port": path}) as (_, said):
            os.write(unit, second(0))
            assert (await next_position(said)).at == START
            os.close(unit)
            with pytest.raises(DeviceUnreachableError):
                await next_position(said)


async def test_a_serial_port_in_use_is_unreachable(tmp_path: Path) -> None:
    source = {"kind": "serial"}
    with gps_units.on_terminal() as (_, path):
        async with listening(tmp_path, {**source, "port": path}):
            with pytest.raises(DeviceUnreachableError, match=path):
                await open_driver(
                    GPS, "van-8", {"source": {**source, "port": path}}, SystemClock(), tmp_path
                ).__aenter__()


@pytest.mark.parametrize("receiver", [None, "/dev/ttyUSB0"])
async def test_gpsd_is_asked_to_watch_and_understood(tmp_path: Path, receiver: str | None) -> None:
    source = {"kind": "gpsd", "host": "127.0.0.1", "receiver": receiver}
    async with gps_units.behind_gpsd() as unit, listening(tmp_path, {**source, "port": unit.port}) as (_, said):
        await unit.asked(b"?WATCH=" if receiver is None else b'"device":"/dev/ttyUSB0"')
        lines = gps_recordings.gpsd_lines("mt3339")
        saying = asyncio.create_task(unit.say(*(lines[start : start + 5_000] for start in range(0, len(lines), 5_000))))
        expected = gps_recordings.gpsd_fixes("mt3339")
        positions = [await next_position(said) for _ in expected]
        await saying
    assert [position.at for position in positions] == list(expected)
    assert all(position.hdop and position.sigma_m and position.satellites for position in positions[1:])


async def test_a_recording_is_played_to_its_end_at_its_own_pace(tmp_path: Path) -> None:
    path = tmp_path / "round.nmea"
    path.write_bytes(b"".join(second(number) for number in (0, 1, 2, 12)))
    began = time.monotonic()
    async with listening(tmp_path, {"kind": "file", "path": str(path), "speed": 20.0}) as (_, said):
        everything = [one async for one in said]
    took = time.monotonic() - began
    records = [one.record for one in everything if isinstance(one, Report)]
    assert [record.at.second for record in records if isinstance(record, Position)] == [0, 1, 2, 12]
    assert isinstance(records[-1], Reading)
    assert took >= 12 / 20


async def test_a_recording_can_be_of_now(tmp_path: Path) -> None:
    path = tmp_path / "round.nmea"
    path.write_bytes(second(0) + second(60))
    before = SystemClock().now()
    async with listening(tmp_path, {"kind": "file", "path": str(path), "speed": 1e6, "as_now": True}) as (_, said):
        first, last = await next_position(said), await next_position(said)
    assert before <= first.at <= SystemClock().now()
    assert last.at - first.at == timedelta(seconds=60)


async def test_a_whole_drive_is_played_without_loss(tmp_path: Path) -> None:
    source = {"kind": "file", "path": str(gps_recordings.DRIVE), "speed": 1e6}
    async with listening(tmp_path, source) as (_, said):
        records = [one.record async for one in said if isinstance(one, Report)]
    assert sum(isinstance(record, Position) for record in records) == 1_654


async def test_a_patrol_in_a_process_of_its_own_is_heard(tmp_path: Path) -> None:
    patrol = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.simulators.nmea_patrol", "--pace", "50", cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert patrol.stdout is not None
        port = int(await patrol.stdout.readline())
        async with listening(tmp_path, {"kind": "tcp", "host": "127.0.0.1", "port": port}) as (_, said):
            positions = [await next_position(said) for _ in range(20)]
    finally:
        patrol.terminate()
        await patrol.wait()
    assert all(after.at - one.at == timedelta(seconds=1) for one, after in pairwise(positions))
    assert all(abs(position.latitude - 24.57) < 1e-3 for position in positions)
