"""What a printer said and nobody has read yet."""

import asyncio
from typing import Final

from protocol.errors import DeviceUnreachableError

_KEPT: Final = 4096
"""Printers answer with some bytes; of one that babbles the latest are kept."""


class Inbox:
    """Filled by a connection, emptied by whoever listens."""

    def __init__(self) -> None:
        self._heard = bytearray()
        self._news = asyncio.Event()
        self._broken = ""

    def hear(self, piece: bytes | bytearray) -> None:
        """Take what came."""
        self._heard += piece
        del self._heard[:-_KEPT]
        self._news.set()

    def break_off(self, reason: str) -> None:
        """Hear that the line is broken; the first reason counts."""
        self._broken = self._broken or reason
        self._news.set()

    def check(self) -> None:
        """Raise DeviceUnreachableError when the line is broken."""
        if self._broken:
            raise DeviceUnreachableError(self._broken)

    def forget(self, count: int = _KEPT) -> None:
        """Drop so many bytes that were read, or all."""
        del self._heard[:count]

    @property
    def content(self) -> bytes:
        """All that came and was not dropped."""
        return bytes(self._heard)

    async def more(self) -> bytes:
        """Wait for more than there is, and return all; raise DeviceUnreachableError when the line breaks."""
        self._news.clear()
        self.check()
        await self._news.wait()
        self.check()
        return self.content
