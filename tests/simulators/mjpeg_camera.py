"""A camera that sends MJPEG over HTTP, as the cheap ones do: a small real server on loopback."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from itertools import cycle

_HEAD = (
    b"HTTP/1.0 200 OK\r\nServer: cam\r\nCache-Control: no-cache\r\n"
    b"Content-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n"
)
_DENIED = b'HTTP/1.0 401 Unauthorized\r\nWWW-Authenticate: Basic realm="cam"\r\nContent-Length: 0\r\n\r\n'


@asynccontextmanager
async def mjpeg_camera(
    jpegs: Iterable[bytes], *, per_s: float = 10, authorization: str | None = None
) -> AsyncIterator[int]:
    """Serve the pictures over and over; yield the port. `authorization` is the header that a viewer must send."""
    pictures = tuple(jpegs)

    async def view(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            request = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            if authorization is not None and f"Authorization: {authorization}\r\n" not in request:
                writer.write(_DENIED)
            else:
                writer.write(_HEAD)
                for jpeg in cycle(pictures):
                    writer.write(b"--frame\r\nContent-Type: image/jpeg\r\n")
                    writer.write(b"Content-Length: %d\r\n\r\n%s\r\n" % (len(jpeg), jpeg))
                    await writer.drain()
                    await asyncio.sleep(1 / per_s)
        writer.close()

    server = await asyncio.start_server(view, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
