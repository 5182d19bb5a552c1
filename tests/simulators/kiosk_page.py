"""A server of a page that a kiosk shows, on loopback: it can hang, and it tells with which key it was opened."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

GOOD = "<body data-ready=en>hello<script>fetch('/opened?' + location.hash.slice(1))</script></body>"
HANGS = "<body data-ready=en>hello<script>setTimeout(() => { for (;;); }, 300)</script></body>"


class KioskPage:
    """The server: what was asked for, and the page that it gives."""

    def __init__(self, page: str) -> None:
        self.page = page
        self.port = 0
        self.asked: asyncio.Queue[str] = asyncio.Queue()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/kiosk"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.asked.put_nowait(head.split(b" ", 2)[1].decode())
            body = self.page.encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n")
            writer.write(f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def kiosk_page(page: str = GOOD, *, port: int = 0) -> AsyncIterator[KioskPage]:
    """Serve a page."""
    served = KioskPage(page)
    server = await asyncio.start_server(served.serve, "127.0.0.1", port)
    served.port = server.sockets[0].getsockname()[1]
    async with server:
        yield served
