"""A printer on a USB cable, through the kernel's printer class: a character device that one program opens at a time."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from drivers.printer.options import Usb
from drivers.printer.transports.inbox import Inbox
from firmware_configs.printers import Printer
from protocol.errors import DeviceUnreachableError

_STUCK_S: Final = 4.0
_LONGEST: Final = 1_024
_PIECE: Final = 1_024


class UsbDevice:
    """The open device. The kernel does not say what the printer has acknowledged."""

    longest = _LONGEST

    def __init__(self, descriptor: int) -> None:
        self.inbox = Inbox()
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(descriptor, self._read)

    async def write(self, piece: bytes, *, fence: bool) -> bool:
        del fence
        try:
            async with asyncio.timeout(_STUCK_S):
                while piece:
                    self.inbox.check()
                    piece = piece[await self._written(piece) :]
        except TimeoutError:
            raise DeviceUnreachableError(f"it takes no more bytes for {_STUCK_S:.0f} s") from None
        except OSError as error:
            raise DeviceUnreachableError(f"the cable: {error}") from error
        return False

    def close(self) -> None:
        """Give the device back."""
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)

    async def _written(self, piece: bytes) -> int:
        try:
            return os.write(self._descriptor, piece)
        except BlockingIOError:
            writable = asyncio.Event()
            self._loop.add_writer(self._descriptor, writable.set)
            try:
                await writable.wait()
            finally:
                self._loop.remove_writer(self._descriptor)
            return 0

    def _read(self) -> None:
        try:
            piece = os.read(self._descriptor, _PIECE)
        except BlockingIOError:
            return
        except OSError as error:
            piece, reason = b"", f"the cable: {error}"
        else:
            reason = "the cable was pulled out"
        if piece:
            self.inbox.hear(piece)
            return
        self._loop.remove_reader(self._descriptor)
        self.inbox.break_off(reason)


class UsbLine:
    """A printer on a cable."""

    def __init__(self, way: Usb, printer: Printer) -> None:
        del printer
        self._path = way.path

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[UsbDevice]:
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError as error:
            raise DeviceUnreachableError(f"{self._path}: {error.strerror}") from error
        device = UsbDevice(descriptor)
        try:
            yield device
        finally:
            device.close()
