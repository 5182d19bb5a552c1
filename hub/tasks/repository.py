"""All SQL of tasks."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.tasks.model import Task
from protocol.errors import RefusedRequestError


async def add(session: AsyncSession, task: Task) -> None:
    """Insert a task."""
    session.add(task)
    await session.flush()


async def find(session: AsyncSession, task_id: UUID) -> Task:
    """Return a task. Raises RefusedRequestError (404)."""
    task = await session.get(Task, task_id)
    if task is None:
        raise RefusedRequestError("tasks.unknown", f"no task {task_id}", status=404)
    return task


async def of_alert(session: AsyncSession, alert_id: UUID) -> Task | None:
    """Return the task that came of an alert."""
    return await session.scalar(select(Task).where(Task.alert_id == alert_id))


async def change(session: AsyncSession, task: Task, **values: Any) -> bool:  # noqa: ANN401 - values of columns
    """Write new values over the version that was read; False when it was changed meanwhile."""
    changed = await session.scalar(
        update(Task)
        .where(Task.id == task.id, Task.version == task.version)
        .values(**values, version=Task.version + 1)
        .returning(Task.id),
        execution_options={"synchronize_session": False},
    )
    if changed is None:
        return False
    await session.refresh(task)
    return True


async def unfinished(session: AsyncSession, officer_id: UUID, grid_id: str) -> Sequence[Task]:
    """Return the open and accepted tasks of an officer in a grid, oldest first."""
    wanted = select(Task).where(Task.officer_id == officer_id, Task.grid_id == grid_id)
    unfinished = wanted.where(Task.state.in_(("open", "accepted"))).order_by(Task.created_at, Task.id)
    return (await session.scalars(unfinished)).all()


def listed(*, officer: UUID | None, grid: str | None, state: str | None, subject: UUID | None) -> Select[Task]:
    """Tasks that fit every filter given."""
    wanted = select(Task)
    if officer is not None:
        wanted = wanted.where(Task.officer_id == officer)
    if grid is not None:
        wanted = wanted.where(Task.grid_id == grid)
    if state is not None:
        wanted = wanted.where(Task.state == state)
    if subject is not None:
        wanted = wanted.where(Task.subject_id == subject)
    return wanted
