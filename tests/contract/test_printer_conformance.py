"""The printer driver against the conformance suite, on every line on which bytes can flow here."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from drivers import conformance
from drivers.conformance import Candidate
from protocol.errors import ConfigurationError
from tests.simulators import printer_profiles
from tests.simulators.ble_printer import ADDRESS, on_air
from tests.simulators.bluez import bluetooth
from tests.simulators.edge_process import ROOT
from tests.simulators.listened import opened
from tests.simulators.ports import free_port
from tests.simulators.printer import Printer, in_the_network, on_a_cable

Line = Callable[[], AbstractAsyncContextManager[Candidate]]


@pytest.fixture(autouse=True)
def _profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIWANG_FIRMWARE_CONFIGS", str(printer_profiles.write(tmp_path / "profiles")))


@asynccontextmanager
async def tcp() -> AsyncIterator[Candidate]:
    nobody = {"line": {"kind": "tcp", "host": "127.0.0.1", "port": free_port()}, "profile": "quick"}
    async with in_the_network(Printer()) as port:
        line = {"kind": "tcp", "host": "127.0.0.1", "port": port}
        yield Candidate("printer", {"line": line, "profile": "quick"}, nobody, reports=0)


@asynccontextmanager
async def usb() -> AsyncIterator[Candidate]:
    nobody = {"line": {"kind": "usb", "path": "/dev/no-such-printer"}, "profile": "quick"}
    async with on_a_cable(Printer()) as path:
        options = {"line": {"kind": "usb", "path": path}, "profile": "quick"}
        yield Candidate("printer", options, nobody, reports=0)


@asynccontextmanager
async def rfcomm() -> AsyncIterator[Candidate]:
    nobody = {"line": {"kind": "rfcomm", "path": "/dev/no-such-printer"}, "profile": "quick"}
    async with on_a_cable(Printer(), cooked=True) as path:
        options = {"line": {"kind": "rfcomm", "path": path}, "profile": "quick"}
        yield Candidate("printer", options, nobody, reports=0)


@pytest.mark.parametrize("line", [tcp, usb, rfcomm], ids=lambda line: line.__name__)
@pytest.mark.parametrize("check", conformance.CHECKS, ids=lambda check: check.__name__)
async def test_it_conforms(check: conformance.Check, line: Line, tmp_path: Path) -> None:
    async with line() as candidate:
        await check(candidate, tmp_path)


async def test_it_conforms_by_bluetooth(tmp_path: Path) -> None:
    """In a process of its own, so that what is looked for is bleak's and not the simulated radio's."""
    candidate = {
        "kind": "printer",
        "options": {"line": {"kind": "ble", "address": ADDRESS}, "profile": "quick"},
        "unreachable": {"line": {"kind": "ble", "name": "nobody"}, "profile": "quick"},
        "reports": 0,
        "patience_s": 30,
    }
    file = tmp_path / "candidate.json"
    file.write_bytes(msgspec.json.encode(candidate))
    async with bluetooth(tmp_path) as air, on_air(Printer(), air):
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "tests.simulators.conforming", str(file), str(tmp_path / "box")),
            cwd=ROOT,
            env={**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": air.address},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        said, wrong = await process.communicate()
    assert process.returncode == 0, wrong.decode()
    assert said.decode().split() == [check.__name__ for check in conformance.CHECKS]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"line": {"kind": "ble"}}, "address"),
        ({"line": {"kind": "ble", "address": "nowhere"}}, "address"),
        ({"line": {"kind": "pigeon"}}, "pigeon"),
        ({"line": {"kind": "rfcomm"}}, "address"),
        ({"line": {"kind": "rfcomm", "address": "00:11:22:33:44:55", "path": "/dev/rfcomm0"}}, "not both"),
        ({"line": {"kind": "rfcomm", "path": "/dev/rfcomm0", "channel": 1}}, "channel"),
        ({"line": {"kind": "tcp", "host": "h"}, "profile": "no-such-model"}, "no-such-model"),
        ({"line": {"kind": "tcp", "host": "h"}, "broken_off": "perhaps"}, "broken_off"),
        ({"line": {"kind": "ble", "name": "m"}, "profile": "tsc-alpha-3r"}, "bluetooth"),
    ],
)
async def test_options_that_mean_no_printer_are_refused(
    options: dict[str, object], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        async with opened("printer", "press", {"profile": "quick", **options}, tmp_path):
            pass


async def test_a_box_without_fonts_says_what_to_install(tmp_path: Path) -> None:
    options = {"line": {"kind": "usb", "path": "/dev/null"}, "profile": "quick", "fonts": str(tmp_path)}
    with pytest.raises(ConfigurationError, match="fonts-noto-cjk"):
        async with opened("printer", "press", options, tmp_path):
            pass
