"""Moving a task along: accepted, done, cancelled, or given to somebody else."""

from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from hub.organisation.model import Officer
from hub.stream.stream import Stream
from hub.tasks import repository
from hub.tasks.authority import require_authority
from hub.tasks.model import Task
from hub.tasks.telling import tell
from protocol.clock import Clock
from protocol.errors import RefusedRequestError

_FROM: Final = {"accepted": ("open",), "done": ("accepted",), "cancelled": ("open", "accepted")}


async def accept(
    session: AsyncSession, clock: Clock, stream: Stream, task: Task, officer: Officer | None, *, by: str
) -> Task:
    """Let `officer` take an open task, which is theirs or nobody's.

    Raises RefusedRequestError: tasks.wrong_state; tasks.no_officer; tasks.not_yours; and that of `require_authority`.
    """
    _require_state(task, "accepted")
    if officer is None:
        raise RefusedRequestError("tasks.no_officer", "the task has no officer; say who accepts it")
    if task.officer_id not in {None, officer.id}:
        raise RefusedRequestError("tasks.not_yours", "the task is another officer's; hand it over first")
    require_authority(task.kind, officer)
    return await _move(session, clock, stream, task, act="accepted", by=by, state="accepted", officer_id=officer.id)


async def complete(session: AsyncSession, clock: Clock, stream: Stream, task: Task, *, result: str, by: str) -> Task:
    """Finish an accepted task. Raises RefusedRequestError: tasks.wrong_state."""
    _require_state(task, "done")
    done = {"state": "done", "result": result, "done_at": clock.now()}
    return await _move(session, clock, stream, task, act="done", by=by, **done)


async def cancel(session: AsyncSession, clock: Clock, stream: Stream, task: Task, *, reason: str, by: str) -> Task:
    """Give up a task that is not done. Raises RefusedRequestError: tasks.wrong_state."""
    _require_state(task, "cancelled")
    cancelled = {"state": "cancelled", "result": reason, "done_at": clock.now()}
    return await _move(session, clock, stream, task, act="cancelled", by=by, **cancelled)


async def assign(session: AsyncSession, clock: Clock, stream: Stream, task: Task, officer: Officer, *, by: str) -> Task:
    """Give an unfinished task to an officer. Raises RefusedRequestError as `require_authority` does."""
    require_authority(task.kind, officer)
    return await _move(session, clock, stream, task, act="assigned", by=by, officer_id=officer.id)


def _require_state(task: Task, target: str) -> None:
    if task.state not in _FROM[target]:
        detail = f"a task that is {task.state} cannot become {target}"
        raise RefusedRequestError("tasks.wrong_state", detail)


async def _move(
    session: AsyncSession,
    clock: Clock,
    stream: Stream,
    task: Task,
    *,
    act: str,
    by: str,
    **values: Any,  # noqa: ANN401 - values of columns
) -> Task:
    if not await repository.change(session, task, **values):
        raise RefusedRequestError("preconditions.changed", "the task was changed meanwhile; read it again", status=412)
    await tell(session, clock, stream, task, act=act, by=by)
    return task
