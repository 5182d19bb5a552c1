"""GPS units as a box meets them: on a pseudo-terminal, on a TCP port, behind a gpsd.

Each says what the test tells it to say, byte by byte if need be, and can be cut off.
"""

import asyncio
import os
import pty
import tty
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress


class Unit:
    """A unit on a TCP port. What is said reaches everyone who is connected; `requests` holds what they asked."""

    def __init__(self) -> None:
        self.port = 0
        self.requests = bytearray()
        self.greeting = b""
        self.gone = False
        self._writers: list[asyncio.StreamWriter] = []
        self._changed = asyncio.Condition()

    async def say(self, *pieces: bytes) -> None:
        """Send each piece in a packet of its own."""
        for piece in pieces:
            for writer in tuple(self._writers):
                with suppress(ConnectionError):  # it has just left
                    writer.write(piece)
                    await writer.drain()
            await asyncio.sleep(0.005)

    async def connected(self, listeners: int = 1) -> None:
        """Wait until so many listen."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self._writers) == listeners)

    async def asked(self, request: bytes) -> None:
        """Wait until this was asked."""
        async with self._changed:
            await self._changed.wait_for(lambda: request in self.requests)

    def hang_up(self) -> None:
        """Close every connection, without a farewell."""
        for writer in self._writers:
            writer.transport.abort()

    async def welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.gone:  # accepted in the moment of closing
            writer.close()
            return
        writer.write(self.greeting)
        self._writers.append(writer)
        await self._tell_of_change()
        try:
            while piece := await reader.read(1024):
                self.requests += piece
                await self._tell_of_change()
        except ConnectionError:
            return
        finally:
            writer.close()
            self._writers.remove(writer)
            await self._tell_of_change()

    async def _tell_of_change(self) -> None:
        async with self._changed:
            self._changed.notify_all()


@asynccontextmanager
async def on_tcp() -> AsyncIterator[Unit]:
    """A unit on a free TCP port of the loopback interface."""
    unit = Unit()
    server = await asyncio.start_server(unit.welcome, "127.0.0.1", 0)
    unit.port = server.sockets[0].getsockname()[1]
    async with server:
        try:
            yield unit
        finally:
            server.close()
            unit.gone = True
            unit.hang_up()
            await unit.connected(listeners=0)


@asynccontextmanager
async def behind_gpsd() -> AsyncIterator[Unit]:
    """A gpsd: it introduces itself, and a test lets it speak after it was asked to."""
    async with on_tcp() as unit:
        unit.greeting = b'{"class":"VERSION","release":"3.25","rev":"3.25","proto_major":3,"proto_minor":15}\r\n'
        yield unit


@contextmanager
def on_terminal() -> Iterator[tuple[int, str]]:
    """A pseudo-terminal: the descriptor that the unit writes to, and the path that a driver opens."""
    unit, port = pty.openpty()
    try:
        tty.setraw(port)
        path = os.ttyname(port)
        yield unit, path
    finally:
        os.close(port)
        with suppress(OSError):  # the test pulled it out
            os.close(unit)
