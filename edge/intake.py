"""Between the devices and the outbox: everything that waits when a commit begins is kept together.

What waits is bounded. When the disk does not take any more, whoever reports waits, and so each source is held back
instead of losing what it says.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from random import Random
from typing import Final, NamedTuple

from drivers.contract import Report
from edge.backoff import delays
from edge.outbox import Outbox
from protocol import logs
from protocol.errors import StoreUnavailableError

_WAITING_AT_MOST: Final = 1_000

log = logs.get(__name__)


class _Handed(NamedTuple):
    report: Report | None
    stored: Callable[[], None] | None


class Intake:
    """The one way into the outbox."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._waiting: deque[_Handed] = deque()
        self._room = asyncio.Semaphore(_WAITING_AT_MOST)
        self._handed = asyncio.Event()
        self.listeners: list[Callable[[Report], None]] = []
        """Those who hear of each report once it is on the disk. They must not block."""

    async def put(self, report: Report, stored: Callable[[], None] | None = None) -> None:
        """Hand in a report, waiting for room; `stored` is called once it is on the disk."""
        await self._hand_in(_Handed(report, stored))

    async def keep(self, report: Report) -> None:
        """Hand in a report and return once it is on the disk."""
        kept = asyncio.Event()
        await self.put(report, kept.set)
        await kept.wait()

    async def flush(self) -> None:
        """Return once everything handed in before is on the disk."""
        reached = asyncio.Event()
        await self._hand_in(_Handed(None, reached.set))
        await reached.wait()

    async def run(self) -> None:
        """Keep what is handed in, until cancelled."""
        while True:
            await self._handed.wait()
            self._handed.clear()
            if not self._waiting:
                continue  # the commit before took it along
            taken: list[_Handed] = []
            await self._store(taken)
            for each in taken:
                self._room.release()
                if each.stored is not None:
                    each.stored()
                if each.report is not None:
                    for hear in self.listeners:
                        hear(each.report)

    async def _hand_in(self, handed: _Handed) -> None:
        await self._room.acquire()
        self._waiting.append(handed)
        self._handed.set()

    async def _store(self, taken: list[_Handed]) -> None:
        """Keep what waits, and note in `taken` what that was."""
        waits = delays(Random(), first_s=0.5, most_s=10.0)  # noqa: S311 - spreads attempts
        refused = False
        while True:
            try:
                await self._outbox.append(self._reports(taken))
            except StoreUnavailableError as error:
                if not refused:
                    log.critical("outbox_takes_nothing_sources_are_held_back", reason=str(error))
                    refused = True
                await asyncio.sleep(next(waits))
            else:
                if refused:
                    log.warning("outbox_takes_again")
                return

    def _reports(self, taken: list[_Handed]) -> Iterator[Report]:
        """Yield what was taken before, then whatever waits, while it comes; runs on the store's thread."""
        yield from [each.report for each in taken if each.report is not None]
        while self._waiting:
            handed = self._waiting.popleft()
            taken.append(handed)
            if handed.report is not None:
                yield handed.report
