"""Lines that are sockets: TCP, usually port 9100, and RFCOMM, the serial port of Bluetooth Classic."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from typing import Final

from drivers.printer.options import Rfcomm, Tcp
from drivers.printer.transports.inbox import Inbox
from firmware_configs.printers import Printer
from protocol.errors import ConfigurationError, DeviceUnreachableError

RAW_PORT: Final = 9100
_CONNECT_S: Final = 8.0
_STUCK_S: Final = 4.0
_CLOSE_S: Final = 1.0
_LONGEST: Final = 1_024


class Socket(asyncio.Protocol):
    """A connected socket. It acknowledges nothing: what the kernel took may still be on its way."""

    longest = _LONGEST

    def __init__(self) -> None:
        self.inbox = Inbox()
        self._transport: asyncio.Transport | None = None
        self._flows = asyncio.Event()
        self._flows.set()
        self._closed = asyncio.Event()

    async def write(self, piece: bytes, *, fence: bool) -> bool:
        del fence
        self.inbox.check()
        assert self._transport is not None  # noqa: S101 - connected
        self._transport.write(piece)
        try:
            async with asyncio.timeout(_STUCK_S):
                await self._flows.wait()
        except TimeoutError:
            raise DeviceUnreachableError(f"it takes no more bytes for {_STUCK_S:.0f} s") from None
        self.inbox.check()
        return False

    async def close(self) -> None:
        """Let what was written go out, briefly, and close."""
        if self._transport is None:
            return
        self._transport.close()
        try:
            async with asyncio.timeout(_CLOSE_S):
                await self._closed.wait()
        except TimeoutError:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - of a socket
        # Whoever writes waits until the kernel has it all: a pile here would be ahead of the printer.
        transport.set_write_buffer_limits(high=0)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self.inbox.hear(data)

    def pause_writing(self) -> None:
        self._flows.clear()

    def resume_writing(self) -> None:
        self._flows.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.inbox.break_off(f"the connection broke: {exc or 'the printer closed it'}")
        self._flows.set()
        self._closed.set()


class TcpLine:
    """A printer in the network."""

    def __init__(self, way: Tcp, printer: Printer) -> None:
        self._host, self._port = way.host, way.port or printer.tcp_port or RAW_PORT

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Socket]:
        connecting = _within(f"{self._host}:{self._port}", self._connect)
        line = await connecting
        try:
            yield line
        finally:
            await line.close()

    async def _connect(self) -> Socket:
        _, line = await asyncio.get_running_loop().create_connection(Socket, self._host, self._port)
        return line


class RfcommLine:
    """A paired printer by Bluetooth Classic."""

    def __init__(self, way: Rfcomm, printer: Printer) -> None:
        self._address, self._channel = way.address.upper(), way.channel or printer.rfcomm_channel or 1
        if not hasattr(socket, "AF_BLUETOOTH"):
            raise ConfigurationError(
                "RFCOMM needs a Python with Bluetooth sockets, such as Debian's own; this has none"
            )

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Socket]:
        line = await _within(f"{self._address} channel {self._channel}", self._connect)
        try:
            yield line
        finally:
            await line.close()

    async def _connect(self) -> Socket:
        loop = asyncio.get_running_loop()
        # Not every Python, and no type checker, knows these names.
        family, protocol = getattr(socket, "AF_BLUETOOTH"), getattr(socket, "BTPROTO_RFCOMM")  # noqa: B009
        door = socket.socket(family, socket.SOCK_STREAM, protocol)
        with ExitStack() as undo:
            undo.callback(door.close)
            door.setblocking(False)  # noqa: FBT003 - positional in the library
            await loop.sock_connect(door, (self._address, self._channel))
            _, line = await loop.create_connection(Socket, sock=door)
            undo.pop_all()
        return line


async def _within(name: str, connect: Callable[[], Awaitable[Socket]]) -> Socket:
    try:
        async with asyncio.timeout(_CONNECT_S):
            return await connect()
    except (OSError, TimeoutError) as error:
        raise DeviceUnreachableError(f"{name}: {error or 'no answer'}") from error
