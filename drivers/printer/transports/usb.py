"""A printer on a USB cable, through the kernel's printer class."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from drivers.printer.options import Usb
from drivers.printer.transports.character import CharacterDevice
from firmware_configs.printers import Printer
from protocol.errors import DeviceUnreachableError


class UsbLine:
    """A printer on a cable."""

    def __init__(self, way: Usb, printer: Printer) -> None:
        del printer
        self._path = way.path

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[CharacterDevice]:
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError as error:
            raise DeviceUnreachableError(f"{self._path}: {error.strerror}") from error
        device = CharacterDevice(descriptor, "the cable", "the cable was pulled out")
        try:
            yield device
        finally:
            await device.close()
