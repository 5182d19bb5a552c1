"""Which batches are missing: numbers count up by one within an enrolment, so what lies between runs is a gap."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from hub.ingest import repository
from hub.ingest.repository import Enrolment, Run
from hub.telemetry.contract import Arrival

REPLAYED: Final = UUID(int=0)
"""The epoch of batches that the hub makes itself; their numbers mean nothing."""

_TAILS: Final = 20_000


def runs(numbers: Iterable[int]) -> list[Run]:
    """Return the runs that these numbers make, in order."""
    found: list[Run] = []
    for number in sorted(set(numbers)):
        if found and number == found[-1].last + 1:
            found[-1] = Run(found[-1].first, number)
        else:
            found.append(Run(number, number))
    return found


def merged(several: Iterable[Run]) -> list[Run]:
    """Return the same numbers as runs that neither overlap nor touch, in order."""
    found: list[Run] = []
    for run in sorted(several):
        if found and run.first <= found[-1].last + 1:
            found[-1] = Run(found[-1].first, max(found[-1].last, run.last))
        else:
            found.append(run)
    return found


def gaps(several: Iterable[Run]) -> list[Run]:
    """Return the numbers that are missing from 1 on, below the highest that arrived."""
    missing: list[Run] = []
    expected = 1
    for run in merged(several):
        if run.first > expected:
            missing.append(Run(expected, run.first - 1))
        expected = run.last + 1
    return missing


class Sequences:
    """Writes down which numbers arrived, one row per enrolment while they come in order.

    It remembers the run that each enrolment is in; after a restart a new run is begun, and `tidy` joins them.
    """

    def __init__(self) -> None:
        self._tails: OrderedDict[Enrolment, Run] = OrderedDict()
        self._ahead: dict[Enrolment, Run] = {}

    async def note(self, session: AsyncSession, arrivals: Sequence[Arrival]) -> None:
        """Add the numbers of these batches to the caller's transaction; `settled` follows its commit."""
        numbers: dict[Enrolment, list[int]] = {}
        for arrival in arrivals:
            batch = arrival.batch
            if batch.epoch == REPLAYED:
                continue
            numbers.setdefault(Enrolment(batch.gateway, batch.epoch), []).append(batch.seq)
        self._ahead = {}
        changes = {}
        for enrolment, some in numbers.items():
            tail = self._tails.get(enrolment)
            found = runs(some) if tail is None else self._beyond(tail, some)
            if found:
                changes[enrolment] = found
                self._ahead[enrolment] = found[-1]
        await repository.extend_runs(session, changes)

    def settled(self) -> None:
        """Remember what was noted last: it is committed."""
        self._tails.update(self._ahead)
        while len(self._tails) > _TAILS:
            self._tails.popitem(last=False)

    def forget(self) -> None:
        """Begin new runs: those in the table were joined."""
        self._tails.clear()

    @staticmethod
    def _beyond(tail: Run, numbers: list[int]) -> list[Run]:
        """The runs to write: those that the current run does not hold, the one that continues it made part of it."""
        fresh = runs(number for number in numbers if not tail.first <= number <= tail.last)
        return [Run(tail.first, run.last) if run.first == tail.last + 1 else run for run in fresh]


async def tidy(session: AsyncSession, limit: int) -> int:
    """Join runs that touch, of at most `limit` enrolments; return how many batches are missing in those."""
    missing = 0
    for enrolment in await repository.scattered(session, limit):
        before = await repository.runs_of(session, enrolment)
        after = merged(before)
        known = dict(before)
        kept = {run.first for run in after}
        lengthened = {run.first: run.last for run in after if known[run.first] != run.last}
        await repository.replace_runs(session, enrolment, known.keys() - kept, lengthened)
        missing += sum(gap.last - gap.first + 1 for gap in gaps(after))
    return missing
