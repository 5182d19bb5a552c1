"""Lines that are sockets, such as TCP, usually port 9100."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

from drivers.printer.options import Tcp
from drivers.printer.transports.inbox import Inbox
from firmware_configs.printers import Printer
from protocol.errors import DeviceUnreachableError

RAW_PORT: Final = 9100
CONNECT_S: Final = 8.0
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

    def connected(self) -> AbstractAsyncContextManager[Socket]:
        return connected_by(f"{self._host}:{self._port}", self._connect)

    async def _connect(self) -> Socket:
        _, line = await asyncio.get_running_loop().create_connection(Socket, self._host, self._port)
        return line


@asynccontextmanager
async def connected_by(name: str, connect: Callable[[], Awaitable[Socket]]) -> AsyncIterator[Socket]:
    """Connect, but not for ever, and close on leaving; raises DeviceUnreachableError when nobody answers."""
    try:
        async with asyncio.timeout(CONNECT_S):
            line = await connect()
    except (OSError, TimeoutError) as error:
        raise DeviceUnreachableError(f"{name}: {error or 'no answer'}") from error
    try:
        yield line
    finally:
        await line.close()
