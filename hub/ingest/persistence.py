"""Trying again until a store is back, and saying so once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from protocol import logs
from protocol.errors import StoreUnavailableError

log = logs.get(__name__)

Result = TypeVar("Result")

DELAYS_S: Final = (0.05, 0.1, 0.25, 0.5, 1.0)


class Persistence:
    """One store that ingest waits for. `reason` says why it is away, None while it is there."""

    def __init__(self, store: str) -> None:
        self._store = store
        self.reason: str | None = None

    async def until_done(self, act: Callable[[], Awaitable[Result]]) -> Result:
        """Run `act` until it does not raise StoreUnavailableError; return its result."""
        attempts = 0
        while True:
            try:
                result = await act()
            except StoreUnavailableError as error:
                if self.reason is None:
                    log.warning("store_lost", store=self._store, reason=str(error))
                self.reason = str(error)
                await asyncio.sleep(DELAYS_S[min(attempts, len(DELAYS_S) - 1)])
                attempts += 1
                continue
            if self.reason is not None:
                log.info("store_back", store=self._store)
                self.reason = None
            return result
