"""RFCOMM, the serial port of Bluetooth Classic: a socket of our own, or a terminal that the system has bound to it.

The socket needs no root and no preparation but pairing; the terminal (`rfcomm bind 0 ADDRESS CHANNEL`) is for a Python
without Bluetooth sockets. Opening a bound terminal connects, which takes seconds and blocks: a thread does it.
"""

import asyncio
import errno
import os
import socket
import termios
import tty
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, suppress

from drivers.printer.options import Rfcomm
from drivers.printer.transports.character import CharacterDevice
from drivers.printer.transports.stream import CONNECT_S, Socket, connected_by
from firmware_configs.printers import Printer
from protocol.errors import ConfigurationError, DeviceUnreachableError

_NOT_IN_KERNEL = frozenset({errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT})


class RfcommLine:
    """A paired printer by a socket. Raises ConfigurationError where Python or the kernel has no such sockets."""

    def __init__(self, way: Rfcomm, printer: Printer) -> None:
        self._address, self._channel = (way.address or "").upper(), way.channel or printer.rfcomm_channel or 1
        if not hasattr(socket, "AF_BLUETOOTH"):
            raise ConfigurationError(
                "RFCOMM by `address` needs a Python with Bluetooth sockets, such as Debian's own; this one has none: "
                "bind the printer to a terminal (`rfcomm bind 0 ADDRESS CHANNEL`) and give its `path`, /dev/rfcomm0"
            )
        try:
            _door().close()
        except OSError as error:
            if error.errno not in _NOT_IN_KERNEL:
                raise DeviceUnreachableError(f"{self._address}: {error}") from error
            raise ConfigurationError(
                "this kernel has no RFCOMM: its modules bluetooth and rfcomm are missing"
            ) from error

    def connected(self) -> AbstractAsyncContextManager[Socket]:
        return connected_by(f"{self._address} channel {self._channel}", self._connect)

    async def _connect(self) -> Socket:
        loop = asyncio.get_running_loop()
        with ExitStack() as undo:
            door = _door()
            undo.callback(door.close)
            door.setblocking(False)  # noqa: FBT003 - positional in the library
            await loop.sock_connect(door, (self._address, self._channel))
            _, line = await loop.create_connection(Socket, sock=door)
            undo.pop_all()
        return line


class RfcommTerminalLine:
    """A printer that the system has bound to a terminal."""

    def __init__(self, way: Rfcomm, printer: Printer) -> None:
        del printer
        self._path = way.path or ""

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[CharacterDevice]:
        device = CharacterDevice(await self._open(), self._path, "the connection broke: the printer closed it")
        try:
            yield device
        finally:
            await device.close()

    async def _open(self) -> int:
        opening = asyncio.get_running_loop().run_in_executor(None, _opened_raw, self._path)
        try:
            async with asyncio.timeout(CONNECT_S):
                return await asyncio.shield(opening)
        except (TimeoutError, asyncio.CancelledError) as error:
            opening.add_done_callback(_close_late)
            if isinstance(error, TimeoutError):
                raise DeviceUnreachableError(f"{self._path}: no answer") from error
            raise
        except OSError as error:
            raise DeviceUnreachableError(f"{self._path}: {error.strerror}") from error
        except termios.error as error:
            raise DeviceUnreachableError(f"{self._path} is no terminal") from error


def _door() -> socket.socket:
    # Not every Python, and no type checker, knows these names.
    family, protocol = getattr(socket, "AF_BLUETOOTH"), getattr(socket, "BTPROTO_RFCOMM")  # noqa: B009
    return socket.socket(family, socket.SOCK_STREAM, protocol)


def _opened_raw(path: str) -> int:
    """Open a terminal that passes every byte on as it is, both ways."""
    descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    with ExitStack() as undo:
        undo.callback(os.close, descriptor)
        tty.setraw(descriptor)
        os.set_blocking(descriptor, False)
        undo.pop_all()
    return descriptor


def _close_late(opening: "asyncio.Future[int]") -> None:
    """Give back what opened after nobody waited any more."""
    with suppress(OSError, termios.error):
        os.close(opening.result())
