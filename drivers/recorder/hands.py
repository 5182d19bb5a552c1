"""Threads that wait for media, so that the loop does not."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, TypeVar

from protocol import logs

T = TypeVar("T")

_AT_ONCE: Final = 3  # one looks at the dock or copies, one reads back what was copied before, one answers orders
_CLOSE_WITHIN_S: Final = 3.0

log = logs.get(__name__)


class Hands:
    """A few threads of one recorder. `stop` is set when they are to end; work that takes long looks at it."""

    def __init__(self, device: str) -> None:
        self.stop = threading.Event()
        self._device = device
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix=device)

    async def do(self, work: Callable[..., T], *args: object) -> T:
        """Run blocking work on a thread. Cancelled, it leaves the work to itself until `close`."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, partial(work, *args))

    async def close(self) -> None:
        """Let the threads end, and wait for them: for ever would be in vain when a medium hangs in the kernel."""
        self.stop.set()
        shut = partial(self._pool.shutdown, wait=True, cancel_futures=True)
        try:
            async with asyncio.timeout(_CLOSE_WITHIN_S):
                await asyncio.get_running_loop().run_in_executor(None, shut)
        except TimeoutError:
            log.warning("medium_hangs", device=self._device)
