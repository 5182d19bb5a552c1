"""A TCP connection to a unit, to a serial server or to gpsd."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from drivers.lines import Line
from protocol.errors import DeviceUnreachableError

_CONNECT_TIMEOUT_S: Final = 5.0
_CLOSE_TIMEOUT_S: Final = 1.0
_PIECE: Final = 16 * 1024

_PROBES: Final = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}
"""A line on which silence is normal shows only by probes that the other end is gone: here after two minutes."""


class _Connection:
    def __init__(self, name: str, reader: asyncio.StreamReader) -> None:
        self._name = name
        self._reader = reader

    async def read(self) -> bytes:
        try:
            piece = await self._reader.read(_PIECE)
        except OSError as error:
            raise DeviceUnreachableError(f"{self._name}: {error}") from error
        if not piece:
            raise DeviceUnreachableError(f"{self._name} closed the connection")
        return piece


@asynccontextmanager
async def connected(host: str, port: int, greeting: bytes = b"") -> AsyncIterator[Line]:
    """Connect, and send the greeting; leaving closes. Raises DeviceUnreachableError when nobody answers."""
    name = f"{host}:{port}"
    try:
        async with asyncio.timeout(_CONNECT_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError) as error:
        raise DeviceUnreachableError(f"{name}: {error or 'no answer'}") from error
    try:
        _probe(writer.get_extra_info("socket"))
        writer.write(greeting)
        yield _Connection(name, reader)
    finally:
        writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await writer.wait_closed()


def _probe(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _PROBES.items():
        if hasattr(socket, name):  # not everywhere under these names
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
