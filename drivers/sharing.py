"""What several devices of one process use together: a radio, a bus, a listening port.

The first who borrows it opens it, the last who gives it back closes it; in between everybody gets the same.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)
ThingT = TypeVar("ThingT")


@dataclass(slots=True)
class _Holding(Generic[ThingT]):
    """One thing: who uses it, and how it is closed. The lock is held while it opens and while it closes."""

    users: int = 0
    thing: list[ThingT] = field(default_factory=list)
    closing: AsyncExitStack = field(default_factory=AsyncExitStack)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Shared(Generic[KeyT, ThingT]):
    """Things that `opener` opens, one per key and event loop.

    What is opened is entered by one task and may be left by another: `opener` must not tie it to a task (a task group,
    or a timeout that spans its use).
    """

    def __init__(self, opener: Callable[[KeyT], AbstractAsyncContextManager[ThingT]]) -> None:
        self._opener = opener
        self._holdings: dict[tuple[asyncio.AbstractEventLoop, KeyT], _Holding[ThingT]] = {}

    @asynccontextmanager
    async def borrowed(self, key: KeyT) -> AsyncIterator[ThingT]:
        """Give the thing of this key; raises what `opener` raises, and then the next borrower tries again."""
        place = (asyncio.get_running_loop(), key)
        holding = self._holdings.setdefault(place, _Holding())
        holding.users += 1
        try:
            async with holding.lock:
                if not holding.thing:
                    holding.thing.append(await holding.closing.enter_async_context(self._opener(key)))
            yield holding.thing[0]
        finally:
            holding.users -= 1
            if not holding.users:
                # Contended only while somebody else opens it, who then closes it as well.
                async with holding.lock:
                    await self._close(place, holding)

    async def _close(self, place: tuple[asyncio.AbstractEventLoop, KeyT], holding: _Holding[ThingT]) -> None:
        if holding.users:
            return  # borrowed again in the meantime
        holding.thing.clear()
        try:
            await holding.closing.aclose()
        finally:
            if not holding.users:
                self._holdings.pop(place, None)
