"""Letting the clip under way become whole, and beginning no other, before the recorder is closed."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager


class Rest:
    """Between the one that copies clips, and the one that wants none half copied."""

    def __init__(self) -> None:
        self._may_begin = asyncio.Event()
        self._may_begin.set()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def wanted(self) -> bool:
        """Whether no other clip should be begun now."""
        return not self._may_begin.is_set()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Copy clips in the body."""
        self._idle.clear()
        try:
            yield
        finally:
            self._idle.set()

    async def pause(self) -> None:
        """Do nothing as long as rest is wanted. Called while working, with no clip under way."""
        self._idle.set()
        await self._may_begin.wait()
        self._idle.clear()

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Enter once no clip is under way; none is begun until this is left."""
        self._may_begin.clear()
        try:
            await self._idle.wait()
            yield
        finally:
            self._may_begin.set()
