"""The roster: no grid with two holders, none left without anybody, and a hand-over that leaves nothing behind."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from hub.organisation import repository
from hub.organisation.model import Duty, Officer
from hub.stream.stream import Stream
from hub.tasks import repository as tasks
from hub.tasks.model import Task
from hub.tasks.moving import assign
from protocol.clock import Clock
from protocol.errors import RefusedRequestError

TWO_HOLDERS: Final = "roster.two_holders"
LAST_HOLDER: Final = "roster.last_holder"
"""F20: every grid has an assistant of its own; the last is removed only when a deputy stands in."""


@dataclass(frozen=True, slots=True)
class HandOver:
    """A grid that changed hands: the new line of the roster, and the tasks that went with it."""

    duty: Duty
    tasks: list[Task]


async def put_on_duty(
    session: AsyncSession,
    clock: Clock,
    officer: Officer,
    grid_id: str,
    *,
    role: str,
    since: datetime,
    until: datetime,
) -> Duty:
    """Add a line to the roster; `until` is exclusive. The caller commits.

    Raises RefusedRequestError: roster.inactive_officer; roster.two_holders when somebody holds the grid in that time.
    """
    await repository.hold_roster(session, grid_id)
    if not officer.active:
        raise RefusedRequestError("roster.inactive_officer", f"{officer.name} is not in service")
    if role == "holder":
        for other in await repository.duties_between(session, grid_id, since, until):
            if other.role == "holder":
                detail = f"grid {grid_id} is held from {other.since} until {other.until}; end that duty or hand it over"
                raise RefusedRequestError(TWO_HOLDERS, detail)
    duty = Duty(id=clock.new_id(), officer_id=officer.id, grid_id=grid_id, role=role, since=since, until=until)
    await repository.add(session, duty)
    return duty


async def take_off_duty(session: AsyncSession, clock: Clock, duty: Duty, at: datetime | None = None) -> None:
    """End a duty at an instant, now when left out. One that has not begun then is removed. The caller commits.

    Raises RefusedRequestError: roster.past_duty when it is over; roster.last_holder when nobody else would be on duty.
    """
    await repository.hold_roster(session, duty.grid_id)
    end = max(at or clock.now(), clock.now())
    if duty.until <= end:
        raise RefusedRequestError("roster.past_duty", f"the duty ends at {duty.until} anyway")
    gap = await _uncovered(session, duty, max(end, duty.since))
    if gap is not None:
        detail = f"grid {duty.grid_id} would have nobody at {gap}; put a deputy on duty first, or hand it over (F20)"
        raise RefusedRequestError(LAST_HOLDER, detail)
    if duty.since < end:
        await repository.set_end(session, duty, end)
    else:
        await repository.remove(session, duty)


async def hand_over(
    session: AsyncSession, clock: Clock, stream: Stream, duty: Duty, successor: Officer, *, by: str
) -> HandOver:
    """Give a duty to another officer from now on, with the unfinished tasks of that grid. The caller commits.

    Raises RefusedRequestError: roster.past_duty; roster.inactive_officer; roster.same_officer; and that of
    `require_authority` when a task is not in the successor's power: such tasks must be settled first.
    """
    await repository.hold_roster(session, duty.grid_id)
    now = clock.now()
    if duty.until <= now:
        raise RefusedRequestError("roster.past_duty", f"the duty ended at {duty.until}")
    if successor.id == duty.officer_id:
        raise RefusedRequestError("roster.same_officer", f"{successor.name} has this duty already")
    until, before, began = duty.until, duty.officer_id, duty.since < now
    if began:
        await repository.set_end(session, duty, now)
    else:
        await repository.remove(session, duty)
    since = max(now, duty.since)
    new = await put_on_duty(session, clock, successor, duty.grid_id, role=duty.role, since=since, until=until)
    waiting = await tasks.unfinished(session, before, duty.grid_id) if began else []
    return HandOver(new, [await assign(session, clock, stream, task, successor, by=by) for task in waiting])


async def _uncovered(session: AsyncSession, duty: Duty, since: datetime) -> datetime | None:
    """Return the first instant from `since` until the duty's end at which nobody else is on duty, if there is one."""
    covered = since
    for other in await repository.duties_between(session, duty.grid_id, since, duty.until):
        if other.id == duty.id:
            continue
        if other.since > covered:
            break
        covered = max(covered, other.until)
    return covered if covered < duty.until else None
