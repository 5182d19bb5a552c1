"""A human interface device of USB or Bluetooth as the kernel's hidraw shows it: each read gives one report, whole."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from drivers.lines import Line
from drivers.lines.hid_descriptor import LONGEST, Descriptor, read_descriptor
from protocol.errors import DeviceUnreachableError, UndecodableMessageError

SYS = Path("/sys")
"""The kernel's folder, unless another is given."""
_PIECE: Final = 16 * 1024
"""The kernel's longest report (HID_MAX_BUFFER_SIZE)."""


class _Node:
    def __init__(self, path: str, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()

    async def read(self) -> bytes:
        while True:
            try:
                report = os.read(self._descriptor, _PIECE)
            except BlockingIOError:
                await self._readable()
                continue
            except OSError as error:
                raise DeviceUnreachableError(f"{self._path}: {error.strerror}") from error
            if not report:
                raise DeviceUnreachableError(f"{self._path} was pulled out")
            return report

    async def _readable(self) -> None:
        news = asyncio.Event()
        self._loop.add_reader(self._descriptor, news.set)
        try:
            await news.wait()
        finally:
            self._loop.remove_reader(self._descriptor)


def describe(path: str, sys: Path | None = None) -> Descriptor | None:
    """Return what the device says of its reports, None where the kernel's folder does not show it (a container).

    Raises DeviceUnreachableError for a descriptor that makes no sense.
    """
    node = Path(path).resolve().name
    try:
        with ((sys or SYS) / "class/hidraw" / node / "device/report_descriptor").open("rb") as file:
            raw = file.read(LONGEST + 1)
    except OSError:
        return None
    try:
        return read_descriptor(raw)
    except UndecodableMessageError as error:
        raise DeviceUnreachableError(f"{path}: {error.reason}") from error


@asynccontextmanager
async def opened(path: str) -> AsyncIterator[Line]:
    """Open the node; leaving closes. Raises DeviceUnreachableError when it is absent or may not be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise DeviceUnreachableError(f"{path}: {error.strerror}") from error
    try:
        yield _Node(path, descriptor)
    finally:
        os.close(descriptor)
