"""How much of a clip goes at a time, how fast, and when it has to wait. Pure but for the waiting."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from protocol.clock import Clock

SMALLEST: Final = 64 * 1024
LARGEST: Final = 4 * 1024 * 1024
_SHARE: Final = 8
_SECONDS: Final = 5.0
_PIECE: Final = 16 * 1024
_BURST_S: Final = 0.25


class Pace:
    """The sizes of chunks.

    A chunk is an eighth of what has arrived since the line last broke, within 64 KiB and 4 MiB: so a break costs at
    most an eighth of what came before it, and on a good line chunks grow until they cost nothing. A chunk also takes no
    longer than some seconds at the rate seen, or the wait for its answer would be taken for silence.
    """

    def __init__(self) -> None:
        self._since_break = 0
        self._rate = 0.0

    @property
    def chunk(self) -> int:
        """Bytes of the next chunk, a multiple of 64 KiB."""
        size = min(self._since_break // _SHARE, LARGEST)
        if self._rate:
            size = min(size, int(self._rate * _SECONDS))
        return max(SMALLEST, size - size % SMALLEST)

    def arrived(self, size: int, seconds: float) -> None:
        """Note a chunk that the hub has on its disk, and how long that took."""
        self._since_break += size
        self._rate = size / max(seconds, 1e-3)

    def broke(self) -> None:
        """Note that the line broke, or that bytes were spoilt on it."""
        self._since_break = 0


class Valve:
    """Lets bytes pass at a limited rate, and none while it is shut: alarms go first."""

    def __init__(self, limit_bytes_s: float, clock: Clock) -> None:
        """A limit of 0 is none."""
        self._limit = limit_bytes_s
        self._clock = clock
        self._open = asyncio.Event()
        self._open.set()
        self._free_at = clock.monotonic()

    def shut(self) -> None:
        """Let nothing pass until it is opened."""
        self._open.clear()

    def open(self) -> None:
        """Let bytes pass again."""
        self._open.set()

    async def passes(self) -> None:
        """Wait until it is open."""
        await self._open.wait()

    async def pieces(self, body: bytes) -> AsyncIterator[bytes]:
        """Yield a body piece by piece, each in its time."""
        for start in range(0, len(body), _PIECE):
            await self._open.wait()
            piece = body[start : start + _PIECE]
            if self._limit:
                now = self._clock.monotonic()
                self._free_at = max(self._free_at, now - _BURST_S) + len(piece) / self._limit
                if self._free_at > now:
                    await asyncio.sleep(self._free_at - now)
            yield piece
