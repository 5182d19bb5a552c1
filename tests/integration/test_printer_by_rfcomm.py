"""Bluetooth Classic as far as bytes can flow without a radio: a bound terminal is a pty, the socket one of TCP."""

import asyncio
import errno
import os
import socket
import threading
from pathlib import Path

import pytest

from drivers.printer.options import Rfcomm
from drivers.printer.transports import line_to, rfcomm, stream
from firmware_configs.printers import PRINTERS
from protocol.clock import SystemClock
from protocol.errors import ConfigurationError, DeviceUnreachableError
from protocol.messages import Receipt
from tests.simulators import printer_profiles
from tests.simulators.listened import opened
from tests.simulators.ports import free_port
from tests.simulators.printer import Printer, in_the_network, on_a_cable
from tests.simulators.sheets import is_whole, order, picture_of, record

ADDRESS = "00:11:22:33:44:55"
BLUETOOTH = 31
"""AF_BLUETOOTH of Linux."""


@pytest.fixture(autouse=True)
def _profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIWANG_FIRMWARE_CONFIGS", str(printer_profiles.write(tmp_path / "profiles")))


@pytest.fixture
def sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python whose Bluetooth sockets are those of TCP: everything but the radio is real."""
    monkeypatch.setattr(socket, "AF_BLUETOOTH", socket.AF_INET, raising=False)
    monkeypatch.setattr(socket, "BTPROTO_RFCOMM", 0, raising=False)


async def test_a_bound_terminal_passes_every_byte_on_as_it_is(tmp_path: Path) -> None:
    printer = Printer()
    async with on_a_cable(printer, cooked=True) as path:
        options = {"line": {"kind": "rfcomm", "path": path}, "profile": "quick"}
        async with opened("printer", "press", options, tmp_path / "box") as device, asyncio.timeout(60):
            answer = await device.driver.work(SystemClock().new_id(), "print", order())  # type: ignore[attr-defined]
            assert answer.data["result"] == "printed"
            assert (await device.record(Receipt)).result == "printed"
    assert is_whole(printer.rows, picture_of(record()))
    assert printer.dropped == 0


async def test_what_is_no_terminal_or_breaks_is_unreachable(tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "rfcomm0", "No such file"), (tmp_path / "plain", "is no terminal")):
        if path.name == "plain":
            path.touch()
        with pytest.raises(DeviceUnreachableError, match=reason):
            async with line_to(Rfcomm(path=str(path)), PRINTERS.load("quick")).connected():
                pass
    far, near = os.openpty()
    try:
        async with line_to(Rfcomm(path=os.ttyname(near)), PRINTERS.load("quick")).connected() as connection:
            os.close(near)
            os.close(far)
            far = -1
            with pytest.raises(DeviceUnreachableError, match=r"the connection broke|pts"):
                await connection.inbox.more()
    finally:
        if far >= 0:
            os.close(far)


async def test_a_printer_that_answers_too_late_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    answers, (far, near) = threading.Event(), os.openpty()
    path, really = os.ttyname(near), rfcomm._opened_raw
    late: list[int] = []

    def slow(wanted: str) -> int:
        answers.wait(30)
        late.append(really(wanted))
        return late[0]

    given_back, close_late = asyncio.Event(), rfcomm._close_late

    def close(opening: "asyncio.Future[int]") -> None:
        close_late(opening)
        given_back.set()

    monkeypatch.setattr(rfcomm, "_close_late", close)
    monkeypatch.setattr(rfcomm, "_opened_raw", slow)
    monkeypatch.setattr(rfcomm, "CONNECT_S", 0.05)
    line = line_to(Rfcomm(path=path), PRINTERS.load("quick"))
    with pytest.raises(DeviceUnreachableError, match="no answer"):
        async with line.connected():
            pass
    answers.set()
    async with asyncio.timeout(30):
        await given_back.wait()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(late[0])
    os.close(far)
    os.close(near)


@pytest.mark.usefixtures("sockets")
async def test_the_socket_carries_bytes_too() -> None:
    printer = Printer()
    async with in_the_network(printer) as port:
        way = Rfcomm(address="127.0.0.1", channel=port)
        async with line_to(way, PRINTERS.load("quick")).connected() as connection:
            assert not await connection.write(b"\x1b@hello\n", fence=True)
            await printer.until(lambda: printer.received >= 8)
        assert printer.connections == 1


@pytest.mark.usefixtures("sockets")
async def test_a_printer_that_is_off_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "CONNECT_S", 5.0)
    line = line_to(Rfcomm(address="127.0.0.1", channel=free_port()), PRINTERS.load("quick"))
    with pytest.raises(DeviceUnreachableError, match=r"127\.0\.0\.1 channel"):
        async with line.connected():
            pass


async def test_a_python_without_bluetooth_sockets_names_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(socket, "AF_BLUETOOTH", raising=False)
    options = {"line": {"kind": "rfcomm", "address": ADDRESS}, "profile": "quick"}
    with pytest.raises(ConfigurationError, match="rfcomm bind 0 ADDRESS CHANNEL"):
        async with opened("printer", "press", options, tmp_path):
            pass


@pytest.mark.parametrize(
    ("number", "error", "reason"),
    [
        (errno.EAFNOSUPPORT, ConfigurationError, "modules bluetooth and rfcomm are missing"),
        (errno.EPROTONOSUPPORT, ConfigurationError, "modules bluetooth and rfcomm are missing"),
        (errno.EMFILE, DeviceUnreachableError, "Too many open files"),
    ],
)
async def test_a_kernel_without_bluetooth_is_told_from_a_box_in_trouble(
    number: int, error: type[Exception], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> socket.socket:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(socket, "AF_BLUETOOTH", BLUETOOTH, raising=False)
    monkeypatch.setattr(rfcomm, "_door", refuse)
    with pytest.raises(error, match=reason):
        line_to(Rfcomm(address=ADDRESS), PRINTERS.load("quick"))
