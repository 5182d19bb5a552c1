"""Work that comes back: pruning, retention, looking for silent devices.

    await run_periodic(database, clock, [Periodic("silence.check", timedelta(seconds=10))])     # until cancelled

Time is cut into slots of the period, counted from 1970, and each slot is one job by its dedupe key. So any number of
processes make one job per slot, and after a downtime there is one to catch up, not one per slot that was missed.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from hub.jobs import repository
from hub.jobs.enqueueing import enqueue
from hub.jobs.model import Job
from hub.jobs.worker import CLOCK_CHECKED_S, Handler
from hub.storage.database import Database
from protocol import logs
from protocol.clock import Clock
from protocol.errors import StoreUnavailableError

log = logs.get(__name__)

PRUNE_JOBS: Final = "jobs.prune"
KEPT_FOR: Final = timedelta(days=2)
LONGEST_PERIOD: Final = timedelta(days=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Periodic:
    """A kind of job that is due once in every period, which is at most LONGEST_PERIOD."""

    kind: str
    every: timedelta

    def __post_init__(self) -> None:
        if not timedelta(seconds=1) <= self.every <= LONGEST_PERIOD:
            raise ValueError(f"{self.kind}: a period is between a second and a day, not {self.every}")

    def slot(self, at: datetime) -> int:
        """Return the number of the slot that contains an instant."""
        return (at - _EPOCH) // self.every

    def start(self, slot: int) -> datetime:
        """Return when a slot begins."""
        return _EPOCH + slot * self.every


async def run_periodic(database: Database, clock: Clock, periodics: Sequence[Periodic]) -> None:
    """Enqueue every periodic job once per slot, the current one at once, until cancelled."""
    seen: dict[str, int] = {}
    newest: dict[str, int] = {}
    while True:
        now = clock.now()
        new = {each: slot for each in periodics if seen.get(each.kind) != (slot := each.slot(now))}
        if new:
            try:
                async with database.write() as session:
                    for each, slot in new.items():
                        # After the clock was set back slots come again whose jobs are done: they are new ones.
                        again = f"/{clock.new_id()}" if slot <= newest.get(each.kind, -1) else ""
                        await enqueue(session, clock, each.kind, dedupe_key=f"{each.kind}@{slot}{again}", payload={})
                seen |= {each.kind: slot for each, slot in new.items()}
                newest |= {kind: max(slot, newest.get(kind, slot)) for kind, slot in seen.items()}
            except StoreUnavailableError as error:
                log.warning("periodic_jobs_wait_for_store", reason=str(error))
        starts = (each.start(each.slot(now) + 1) for each in periodics)
        await asyncio.sleep(min((*((at - clock.now()).total_seconds() for at in starts), CLOCK_CHECKED_S)))


def prune_jobs(database: Database, clock: Clock) -> Handler:
    """Return the handler that forgets jobs done two days ago, longer than any slot lasts. Dead ones are kept."""

    async def prune(_: Job) -> None:
        async with database.write() as session:
            await repository.forget(session, clock.now() - KEPT_FOR)

    return prune
