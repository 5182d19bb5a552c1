"""All SQL of jobs."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, delete, func, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.jobs.model import Job
from hub.storage.upsert import insert_new

LONGEST_WAIT: Final = timedelta(minutes=10)
"""Longer than any lease and any delay between two tries."""


async def add(session: AsyncSession, rows: list[dict[str, Any]]) -> int:
    """Add the jobs whose dedupe keys are not there yet; return how many were new."""
    return await insert_new(session, Job, rows)


def _stranded(now: datetime) -> ColumnElement[bool]:
    """Whether the clock was set back since a job was put off: it would wait for as long as that was."""
    return and_(Job.created_at > now, Job.due_at > now + LONGEST_WAIT)


async def claim(
    session: AsyncSession, kinds: Collection[str], now: datetime, lease_until: datetime, limit: int
) -> list[Job]:
    """Take the jobs that are longest due; nobody else gets them until `lease_until`."""
    # No plain subquery: PostgreSQL may run that again for each row, and each time it skips what it has locked before.
    due = (
        select(Job.id)
        .where(Job.state == "waiting", or_(Job.due_at <= now, _stranded(now)), Job.kind.in_(kinds))
        .order_by(Job.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    mine = update(Job).where(Job.id.in_(select(due.c.id)))
    taken = mine.values(due_at=lease_until, tries=Job.tries + 1).returning(Job)
    found = await session.scalars(taken, execution_options={"synchronize_session": False, "populate_existing": True})
    return list(found)


async def next_due(session: AsyncSession, kinds: Collection[str], now: datetime) -> datetime | None:
    """Return when the next job of these kinds may be claimed."""
    due_at = case((_stranded(now), literal(now, Job.due_at.type)), else_=Job.due_at)
    found: datetime | None = await session.scalar(
        select(func.min(due_at)).where(Job.state == "waiting", Job.kind.in_(kinds))
    )
    return found


async def renew(session: AsyncSession, job: Job, lease_until: datetime) -> bool:
    """Keep a claimed job; False when another worker has taken it meanwhile."""
    return await _change(session, job, due_at=lease_until)


async def finish(session: AsyncSession, job: Job, state: str, now: datetime, error: str) -> bool:
    """Make a claimed job `done` or `dead`; False when another worker has taken it meanwhile."""
    return await _change(session, job, state=state, finished_at=now, last_error=error)


async def put_off(session: AsyncSession, job: Job, due_at: datetime, error: str) -> bool:
    """Give a claimed job back until `due_at`; False when another worker has taken it meanwhile."""
    return await _change(session, job, due_at=due_at, last_error=error)


async def forget(session: AsyncSession, finished_before: datetime) -> int:
    """Delete the jobs that were done before; dead ones are kept. Return how many went."""
    old = delete(Job).where(Job.state == "done", Job.finished_at < finished_before).returning(Job.id)
    return len((await session.execute(old)).all())


async def _change(session: AsyncSession, job: Job, **values: Any) -> bool:  # noqa: ANN401 - values of columns
    mine = update(Job).where(Job.id == job.id, Job.tries == job.tries, Job.state == "waiting")
    changed: UUID | None = await session.scalar(
        mine.values(**values).returning(Job.id), execution_options={"synchronize_session": False}
    )
    return changed is not None
