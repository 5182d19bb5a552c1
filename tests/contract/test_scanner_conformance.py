"""The scanner driver against the conformance suite, on a serial line and over TCP; and what it tells of scans."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from drivers import conformance
from drivers.conformance import Candidate
from drivers.contract import Report, Reports
from drivers.lines import hidraw
from drivers.listening import listening
from drivers.registry import open_driver
from protocol.clock import SystemClock
from protocol.errors import DeviceUnreachableError
from protocol.messages import Event, Reading
from tests.simulators import gps_units, hid_scanner
from tests.simulators.ports import free_port

SCANNER = "scanner"
LABEL = b"]C101069012345678921726113010A7-26\r\n"
PATIENCE_S = 30
Line = Callable[[], AbstractAsyncContextManager[Candidate]]


@asynccontextmanager
async def tcp() -> AsyncIterator[Candidate]:
    nobody = {"kind": "tcp", "host": "127.0.0.1", "port": free_port()}
    async with gps_units.on_tcp() as unit, asyncio.TaskGroup() as tasks:
        talking = tasks.create_task(talk(unit))
        here = {"kind": "tcp", "host": "127.0.0.1", "port": unit.port}
        yield Candidate(SCANNER, {"source": here}, {"source": nobody})
        talking.cancel()


async def talk(unit: gps_units.Unit) -> None:
    while True:
        await unit.say(LABEL)
        await asyncio.sleep(0.02)


@asynccontextmanager
async def serial() -> AsyncIterator[Candidate]:
    with gps_units.on_terminal() as (unit, path):
        os.set_blocking(unit, False)
        async with asyncio.TaskGroup() as tasks:
            talking = tasks.create_task(tick(unit))
            nobody = {"kind": "serial", "port": "/dev/no-such-port"}
            yield Candidate(SCANNER, {"source": {"kind": "serial", "port": path}}, {"source": nobody})
            talking.cancel()


async def tick(unit: int) -> None:
    while True:
        with suppress(BlockingIOError):  # nobody reads just now
            os.write(unit, LABEL)
        await asyncio.sleep(0.02)


@asynccontextmanager
async def hid() -> AsyncIterator[Candidate]:
    with TemporaryDirectory() as folder, hid_scanner.plugged(Path(folder) / "hidraw0") as unit:
        async with asyncio.TaskGroup() as tasks:
            talking = tasks.create_task(report(unit))
            nobody = {"kind": "hid", "path": f"{folder}/hidraw1"}
            yield Candidate(
                SCANNER,
                {"source": {"kind": "hid", "path": f"{folder}/hidraw0"}},
                {"source": nobody},
                patience_s=PATIENCE_S,
            )
            talking.cancel()


async def report(unit: int) -> None:
    while True:
        for each in hid_scanner.reports(LABEL * 3, b"]C1"):
            with suppress(BlockingIOError):  # nobody reads just now
                os.write(unit, each)
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("line", [tcp, serial, hid], ids=lambda line: line.__name__)
@pytest.mark.parametrize("check", conformance.CHECKS, ids=lambda check: check.__name__)
async def test_it_conforms(check: conformance.Check, line: Line, tmp_path: Path) -> None:
    async with line() as candidate:
        await check(candidate, tmp_path)


@asynccontextmanager
async def scanning(folder: Path, **options: Any) -> AsyncIterator[tuple[gps_units.Unit, AsyncIterator[Any]]]:
    """A scanner over TCP, and what its driver says."""
    async with gps_units.on_tcp() as unit:
        source = {"kind": "tcp", "host": "127.0.0.1", "port": unit.port}
        async with open_driver(SCANNER, "scanner-1", {"source": source, **options}, SystemClock(), folder) as driver:
            assert isinstance(driver, Reports)
            await unit.connected()
            async with listening(driver) as said:
                yield unit, said


@asynccontextmanager
async def scanning_by_hid(folder: Path, descriptor: bytes | None) -> AsyncIterator[tuple[int, AsyncIterator[Any]]]:
    """A scanner in HID-POS mode below a link as udev makes it, and what its driver says."""
    node, link = folder / "hidraw7", folder / "scanner-hid"
    link.symlink_to(node)
    if descriptor is not None:
        hid_scanner.describe(folder / "sys", node.name, descriptor)
    with hid_scanner.plugged(node) as unit:
        options = {"source": {"kind": "hid", "path": str(link)}, "pause_s": 0.05}
        async with open_driver(SCANNER, "scanner-1", options, SystemClock(), folder / "kept") as driver:
            assert isinstance(driver, Reports)
            async with listening(driver) as said:
                yield unit, said


@pytest.fixture
def sys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The kernel's folder."""
    monkeypatch.setattr(hidraw, "SYS", tmp_path / "sys")
    return tmp_path / "sys"


@pytest.mark.usefixtures("sys")
@pytest.mark.parametrize("descriptor", [hid_scanner.DESCRIPTOR, None], ids=["described", "as suggested"])
async def test_a_label_of_several_reports_is_one_event(tmp_path: Path, descriptor: bytes | None) -> None:
    long = LABEL.strip() + b"\x1d21" + b"7" * 15
    async with scanning_by_hid(tmp_path, descriptor) as (unit, said):
        for each in [*hid_scanner.reports(long), *hid_scanner.reports(b"6901234567892", b"]E0")]:
            os.write(unit, each)
        first, second = await event(said), await event(said)
    assert (first.data["batch"], first.data["symbology"]) == ("A7-26", "]C1")
    assert first.data["serial"] == "7" * 15
    assert (second.data["gtin"], second.data["symbology"]) == ("06901234567892", "]E0")


@pytest.mark.usefixtures("sys")
async def test_what_is_no_report_is_counted_and_told_when_the_plug_is_pulled(tmp_path: Path) -> None:
    async with scanning_by_hid(tmp_path, hid_scanner.DESCRIPTOR) as (unit, said):
        os.write(unit, hid_scanner.report(b"6901234567892"))
        os.write(unit, b"\x02\x00")
        assert (await event(said)).data["gtin"] == "06901234567892"
        os.close(unit)
        counted = await anext(said)
        assert counted.record.values == {"scans_repeated": 0.0, "scans_too_long": 0.0, "reports_refused": 1.0}
        with pytest.raises(DeviceUnreachableError, match="pulled out"):
            await anext(said)


@pytest.mark.usefixtures("sys")
async def test_a_keyboard_is_no_scanner_until_it_is_switched(tmp_path: Path) -> None:
    with pytest.raises(DeviceUnreachableError, match="a keyboard, no scanner in HID-POS mode"):
        async with scanning_by_hid(tmp_path, hid_scanner.KEYBOARD):
            pass


async def event(said: AsyncIterator[Any]) -> Event:
    async with asyncio.timeout(PATIENCE_S):
        report = await anext(said)
    assert isinstance(report, Report)
    assert isinstance(report.record, Event)
    return report.record


async def test_a_scanned_label_is_one_event(tmp_path: Path) -> None:
    async with scanning(tmp_path) as (unit, said):
        await unit.say(LABEL[:9], LABEL[9:])
        told = await event(said)
        assert (told.type, told.device, told.state) == ("scanner.scan", "scanner-1", "instant")
        assert {name: told.data[name] for name in ("gtin", "batch", "expiry", "format", "symbology")} == {
            "gtin": "06901234567892",
            "batch": "A7-26",
            "expiry": "2026-11-30",
            "format": "gs1",
            "symbology": "]C1",
        }


async def test_a_scanner_that_sends_no_end_is_heard_after_a_pause(tmp_path: Path) -> None:
    async with scanning(tmp_path, pause_s=0.05) as (unit, said):
        await unit.say(b"6901234567892")
        assert (await event(said)).data["gtin"] == "06901234567892"


async def test_what_a_scanner_repeats_is_told_once_and_counted(tmp_path: Path) -> None:
    async with scanning(tmp_path, repeat_within_s=60) as (unit, said):
        await unit.say(b"A\rA\rA\rB\rA\r")
        assert [(await event(said)).data["raw"] for _ in range(2)] == ["A", "B"]
        unit.hang_up()
        counted = await anext(said)
        assert isinstance(counted.record, Reading)
        assert counted.record.values["scans_repeated"] == 3
        with pytest.raises(DeviceUnreachableError):
            await anext(said)


async def test_each_scan_is_told_unless_a_site_says_otherwise(tmp_path: Path) -> None:
    async with scanning(tmp_path) as (unit, said):
        await unit.say(b"A\rA\r")
        assert [(await event(said)).data["raw"] for _ in range(2)] == ["A", "A"]
