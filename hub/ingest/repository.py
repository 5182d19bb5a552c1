"""All SQL of ingest: batches taken, sequence numbers seen, dead letters."""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Executable, case, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from hub.ingest.deliveries import Letter
from hub.ingest.model import DeadLetter, SequenceRange, TakenBatch
from hub.storage.portions import portions
from hub.storage.upsert import is_postgresql
from hub.telemetry.contract import Arrival
from protocol.clock import Clock


class Enrolment(NamedTuple):
    """What sequence numbers count within."""

    gateway: str
    epoch: UUID


class Run(NamedTuple):
    """Sequence numbers that all arrived, both ends included."""

    first: int
    last: int


async def take_batches(session: AsyncSession, arrivals: Sequence[Arrival]) -> list[Arrival]:
    """List these batches as taken; return those that were not taken before. No batch may occur twice."""
    rows = [
        {"gateway": batch.gateway, "epoch": batch.epoch, "id": batch.id, "taken_at": arrival.received_at}
        for arrival in arrivals
        for batch in (arrival.batch,)
    ]
    found = await (await session.connection()).execute(_take(is_postgresql(session)), rows)
    new = {(row.gateway, row.epoch, row.id) for row in found}
    return [each for each in arrivals if (each.batch.gateway, each.batch.epoch, each.batch.id) in new]


async def extend_runs(session: AsyncSession, runs: Mapping[Enrolment, Iterable[Run]]) -> None:
    """Add runs of sequence numbers. A run that starts where a known one starts makes that one longer."""
    rows = [
        {"gateway": enrolment.gateway, "epoch": enrolment.epoch, "first": run.first, "last": run.last}
        for enrolment, several in sorted(runs.items())
        for run in several
    ]
    if not rows:
        return
    await (await session.connection()).execute(_extend(is_postgresql(session)), rows)


async def runs_of(session: AsyncSession, enrolment: Enrolment) -> list[Run]:
    """Return the runs of an enrolment in order; they may overlap or touch."""
    wanted = select(SequenceRange.first, SequenceRange.last).where(
        SequenceRange.gateway == enrolment.gateway, SequenceRange.epoch == enrolment.epoch
    )
    return [Run(*row) for row in await session.execute(wanted.order_by(SequenceRange.first))]


async def scattered(session: AsyncSession, limit: int) -> list[Enrolment]:
    """Return enrolments that have more than one run or lack their beginning, the most scattered first."""
    wanted = (
        select(SequenceRange.gateway, SequenceRange.epoch)
        .group_by(SequenceRange.gateway, SequenceRange.epoch)
        .having(or_(func.count() > 1, func.min(SequenceRange.first) > 1))
        .order_by(func.count().desc())
        .limit(limit)
    )
    return [Enrolment(*row) for row in await session.execute(wanted)]


async def replace_runs(
    session: AsyncSession, enrolment: Enrolment, gone: Collection[int], merged: Mapping[int, int]
) -> None:
    """Delete the runs that start at `gone` and lengthen those of `merged` (first to last)."""
    here = (SequenceRange.gateway == enrolment.gateway, SequenceRange.epoch == enrolment.epoch)
    for first, last in merged.items():
        await session.execute(update(SequenceRange).where(*here, SequenceRange.first == first).values(last=last))
    for some in portions(sorted(gone)):
        await session.execute(delete(SequenceRange).where(*here, SequenceRange.first.in_(some)))


async def keep_letters(session: AsyncSession, clock: Clock, at: datetime, letters: Sequence[Letter]) -> None:
    """Keep dead letters; one that is there already is counted up."""
    distinct: dict[str, tuple[Letter, int]] = {}
    for letter in letters:
        digest = _digest(letter)
        distinct[digest] = (letter, distinct[digest][1] + 1 if digest in distinct else 1)
    rows = [
        {
            "id": clock.new_id(),
            "digest": digest,
            "at": at,
            "gateway": letter.gateway,
            "topic": letter.topic[:300],
            "part": letter.part.value,
            "batch": letter.batch,
            "position": letter.position,
            "reason": letter.reason.replace("\0", "\\0"),
            "size": len(letter.payload),
            "payload": letter.payload,
            "times_seen": times,
        }
        for digest, (letter, times) in distinct.items()
    ]
    await (await session.connection()).execute(_keep(is_postgresql(session)), rows)


async def forget_taken(session: AsyncSession, before: datetime) -> int:
    """Delete batch ids taken before then; return how many."""
    gone = await session.execute(delete(TakenBatch).where(TakenBatch.taken_at < before).returning(TakenBatch.id))
    return len(gone.all())


async def forget_letters(session: AsyncSession, before: datetime, most_bytes: int) -> int:
    """Delete dead letters older than `before`, and the oldest beyond `most_bytes` of them; return how many."""
    old = await session.execute(delete(DeadLetter).where(DeadLetter.at < before).returning(DeadLetter.id))
    newest_first = (DeadLetter.at.desc(), DeadLetter.id.desc())
    sizes = select(DeadLetter.id, func.sum(DeadLetter.size).over(order_by=newest_first).label("so_far")).subquery()
    beyond = select(sizes.c.id).where(sizes.c.so_far > most_bytes)
    more = await session.execute(delete(DeadLetter).where(DeadLetter.id.in_(beyond)).returning(DeadLetter.id))
    return len(old.all()) + len(more.all())


async def letter(session: AsyncSession, letter_id: UUID) -> DeadLetter | None:
    """Return a dead letter."""
    return await session.get(DeadLetter, letter_id)


def _digest(letter: Letter) -> str:
    place = f"{letter.gateway}\n{letter.topic}\n{letter.part}\n{letter.batch}\n{letter.position}\n"
    return hashlib.sha256(place.encode() + letter.payload).hexdigest()


# SQLAlchemy takes longer to build a statement with a conflict clause than SQLite to run it: each is built once.


@cache
def _take(postgres: bool) -> Executable:  # noqa: FBT001 - the key of a cache
    table = TakenBatch.__table__
    insert = _insert(postgres, table).on_conflict_do_nothing()
    statement: Executable = insert.returning(table.c.gateway, table.c.epoch, table.c.id)
    return statement


@cache
def _extend(postgres: bool) -> Executable:  # noqa: FBT001 - as above
    insert = _insert(postgres, SequenceRange.__table__)
    longer = case((SequenceRange.last < insert.excluded.last, insert.excluded.last), else_=SequenceRange.last)
    statement: Executable = insert.on_conflict_do_update(
        index_elements=["gateway", "epoch", "first"], set_={"last": longer}
    )
    return statement


@cache
def _keep(postgres: bool) -> Executable:  # noqa: FBT001 - as above
    insert = _insert(postgres, DeadLetter.__table__)
    again = {"times_seen": DeadLetter.times_seen + insert.excluded.times_seen}
    statement: Executable = insert.on_conflict_do_update(index_elements=["digest"], set_=again)
    return statement


def _insert(postgres: bool, table: Any) -> Any:  # noqa: ANN401, FBT001 - the Insert of either dialect
    return postgresql.insert(table) if postgres else sqlite.insert(table)
