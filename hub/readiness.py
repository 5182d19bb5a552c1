"""Which parts are ready to serve, and why one is not."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from protocol.errors import DiwangError

PATIENCE_S: Final = 2.0


class Readiness:
    """A named check per part. A check returns when its part is ready and raises a DiwangError when it is not."""

    def __init__(self) -> None:
        self._checks: dict[str, Callable[[], Awaitable[None]]] = {}

    def add(self, part: str, check: Callable[[], Awaitable[None]]) -> None:
        """Ask `check` from now on."""
        self._checks[part] = check

    async def missing(self) -> dict[str, str]:
        """Return the parts that are not ready, with the reason; empty when all are. Takes at most PATIENCE_S."""
        reasons = await asyncio.gather(*(_reason(check) for check in self._checks.values()))
        return {part: reason for part, reason in zip(self._checks, reasons, strict=True) if reason is not None}


async def _reason(check: Callable[[], Awaitable[None]]) -> str | None:
    try:
        async with asyncio.timeout(PATIENCE_S):
            await check()
    except TimeoutError:
        return f"no answer within {PATIENCE_S:g} s"
    except DiwangError as error:
        return str(error)
    return None
