"""What several devices of one process use together: a radio, a bus, a listening port.

The first who borrows it opens it, the last who gives it back closes it; in between everybody gets the same.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Hashable
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

    Opening and closing run to their end even when whoever waits for them is cancelled, so that nothing is left half
    open: `opener` must bound how long they take. They run in tasks of their own: it must not tie the thing to a task,
    by a task group or a timeout that spans its use.
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
                    await to_the_end(self._open(key, holding))
            yield holding.thing[0]
        finally:
            holding.users -= 1
            if not holding.users:
                await to_the_end(self._close(place, holding))

    async def _open(self, key: KeyT, holding: _Holding[ThingT]) -> None:
        holding.thing.append(await holding.closing.enter_async_context(self._opener(key)))

    async def _close(self, place: tuple[asyncio.AbstractEventLoop, KeyT], holding: _Holding[ThingT]) -> None:
        async with holding.lock:
            if holding.users:
                return  # borrowed again in the meantime
            holding.thing.clear()
            try:
                await holding.closing.aclose()
            finally:
                if not holding.users:
                    self._holdings.pop(place, None)


async def to_the_end(work: Coroutine[None, None, None]) -> None:
    """Wait for work that a cancellation does not interrupt; the cancellation is raised when it has ended."""
    task = asyncio.get_running_loop().create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait((task,))
        if not task.cancelled():
            task.exception()  # whoever is cancelled does not care
        raise
