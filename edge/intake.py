"""Between the devices and the outbox: everything that waits is kept together, in one go.

The queue is bounded. When the disk does not take any more it fills up, whoever reports waits, and so each source is
held back instead of losing what it says.
"""

import asyncio
from collections.abc import Callable
from random import Random
from typing import Final

from drivers.contract import Report
from edge.backoff import delays
from edge.outbox import Outbox
from protocol import logs
from protocol.errors import StoreUnavailableError

_WAITING_AT_MOST: Final = 1_000

log = logs.get(__name__)


class Intake:
    """The one way into the outbox."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._waiting: asyncio.Queue[tuple[Report | None, Callable[[], None] | None]]
        self._waiting = asyncio.Queue(_WAITING_AT_MOST)

    async def put(self, report: Report, stored: Callable[[], None] | None = None) -> None:
        """Hand in a report, waiting for room; `stored` is called once it is on the disk."""
        await self._waiting.put((report, stored))

    async def keep(self, report: Report) -> None:
        """Hand in a report and return once it is on the disk."""
        kept = asyncio.Event()
        await self.put(report, kept.set)
        await kept.wait()

    async def flush(self) -> None:
        """Return once everything handed in before is on the disk."""
        reached = asyncio.Event()
        await self._waiting.put((None, reached.set))
        await reached.wait()

    async def run(self) -> None:
        """Keep what is handed in, until cancelled."""
        while True:
            taken = [await self._waiting.get()]
            while not self._waiting.empty():
                taken.append(self._waiting.get_nowait())
            if reports := [report for report, _ in taken if report is not None]:
                await self._store(reports)
            for _, stored in taken:
                if stored is not None:
                    stored()

    async def _store(self, reports: list[Report]) -> None:
        waits = delays(Random(), first_s=0.5, most_s=10.0)  # noqa: S311 - spreads attempts
        refused = False
        while True:
            try:
                await self._outbox.append(reports)
            except StoreUnavailableError as error:
                if not refused:
                    log.critical("outbox_takes_nothing_sources_are_held_back", reason=str(error))
                    refused = True
                await asyncio.sleep(next(waits))
            else:
                if refused:
                    log.warning("outbox_takes_again")
                return
