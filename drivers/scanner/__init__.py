"""Barcode and QR scanners on a serial port, a USB port that looks like one, or a TCP server.

The way of a byte: `drivers.lines` read it, `framing` cuts scans, `codes` says what one stands for, `scanner` tells.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from drivers.contract import DriverSpec
from drivers.lines import Line, serial_port, tcp
from drivers.scanner.options import ScannerOptions, SerialPort, Tcp
from drivers.scanner.scanner import Scanner
from protocol.clock import Clock


@asynccontextmanager
async def open_scanner(device: str, options: ScannerOptions, clock: Clock, folder: Path) -> AsyncIterator[Scanner]:
    """Open a scanner; it keeps nothing in its folder. Raises DeviceUnreachableError when it is not there."""
    del folder
    async with AsyncExitStack() as stack:
        line = await _line(options, stack)
        yield Scanner(device, line, options, clock)


async def _line(options: ScannerOptions, stack: AsyncExitStack) -> Line:
    match options.source:
        case SerialPort(port=path, baud=baud):
            return await stack.enter_async_context(serial_port.opened(path, baud))
        case Tcp(host=host, port=port):
            return await stack.enter_async_context(tcp.connected(host, port))


SPEC = DriverSpec(
    name="scanner",
    summary="Barcode and QR scanners on a serial, USB or TCP port: GS1, EAN and plain codes",
    options=ScannerOptions,
    open=open_scanner,
)
