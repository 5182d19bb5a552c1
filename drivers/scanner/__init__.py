"""Barcode and QR scanners on a serial port, on USB as such a port or in HID-POS mode, or on a TCP server.

The way of a byte: `drivers.lines` read it, `framing` cuts scans, or `hid_pos` joins them, `codes` says what one stands
for, `scanner` tells.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from drivers.contract import DriverSpec
from drivers.lines import Line, hidraw, serial_port, tcp
from drivers.scanner.framing import Framer, Framing
from drivers.scanner.hid_pos import Reports, layout_of
from drivers.scanner.options import Hid, ScannerOptions, SerialPort, Tcp
from drivers.scanner.scanner import Scanner
from protocol.clock import Clock


@asynccontextmanager
async def open_scanner(device: str, options: ScannerOptions, clock: Clock, folder: Path) -> AsyncIterator[Scanner]:
    """Open a scanner; it keeps nothing in its folder. Raises DeviceUnreachableError when it is not there."""
    del folder
    async with AsyncExitStack() as stack:
        line, framing = await _line(options, stack)
        yield Scanner(device, line, framing, options, clock)


async def _line(options: ScannerOptions, stack: AsyncExitStack) -> tuple[Line, Framing]:
    match options.source:
        case SerialPort(port=path, baud=baud):
            return await stack.enter_async_context(serial_port.opened(path, baud)), Framer()
        case Tcp(host=host, port=port):
            return await stack.enter_async_context(tcp.connected(host, port)), Framer()
        case Hid(path=path):
            line = await stack.enter_async_context(hidraw.opened(path))
            return line, Reports(layout_of(hidraw.describe(path)))


SPEC = DriverSpec(
    name="scanner",
    summary="Barcode and QR scanners on a serial, USB (HID-POS) or TCP port: GS1, EAN and plain codes",
    options=ScannerOptions,
    open=open_scanner,
)
