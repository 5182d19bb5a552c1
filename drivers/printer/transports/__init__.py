"""Lines to printers: each connects, carries bytes both ways, and closes. None knows what the bytes mean."""

from contextlib import AbstractAsyncContextManager
from importlib import import_module
from typing import Protocol

from drivers.printer.options import Ble, Rfcomm, Tcp, Usb
from drivers.printer.transports.inbox import Inbox
from firmware_configs.printers import Printer


class Connection(Protocol):
    """An open line. What the printer says is in `inbox`, which is told as well when the line breaks."""

    inbox: Inbox

    @property
    def longest(self) -> int:
        """Bytes that one `write` takes at most."""
        ...

    async def write(self, piece: bytes, *, fence: bool) -> bool:
        """Hand over bytes; wait where the line holds them back.

        With `fence`, return whether the printer itself has acknowledged these bytes and all before them. Raises
        DeviceUnreachableError when the line is broken.
        """
        ...


class Line(Protocol):
    """A way to a printer."""

    def connected(self) -> AbstractAsyncContextManager[Connection]:
        """Connect; leaving closes. Entering raises DeviceUnreachableError when nobody answers."""
        ...


def line_to(way: Ble | Tcp | Rfcomm | Usb, printer: Printer) -> Line:
    """Return the line that a site has set. Only a line by BLE loads its library."""
    rfcomm = "rfcomm:RfcommTerminalLine" if isinstance(way, Rfcomm) and way.path else "rfcomm:RfcommLine"
    place = {Ble: "ble:BleLine", Tcp: "stream:TcpLine", Rfcomm: rfcomm, Usb: "usb:UsbLine"}[type(way)]
    module, _, name = place.partition(":")
    line: Line = getattr(import_module(f"{__name__}.{module}"), name)(way, printer)
    return line
