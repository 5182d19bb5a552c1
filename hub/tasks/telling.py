"""Telling of a task: every change goes into the subject's archive and to who follows the stream."""

from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from hub.stream.stream import Stream
from hub.subjects import archive
from hub.tasks.model import Task
from protocol.clock import Clock

_IN_CHINESE: Final = {
    "opened": "任务已派发",
    "assigned": "任务已转派",
    "accepted": "任务已接收",
    "done": "任务已完成",
    "cancelled": "任务已取消",
}


async def tell(session: AsyncSession, clock: Clock, stream: Stream, task: Task, *, act: str, by: str) -> None:
    """Write what was done to a task into the caller's transaction: opened, assigned, accepted, done or cancelled."""
    if task.subject_id is not None:
        await archive.append(
            session,
            clock,
            task.subject_id,
            at=clock.now(),
            kind=f"task.{act}",
            summary=f"{_IN_CHINESE[act]}: {task.title}",
            ref=f"{task.id}@{task.version}",
            data={"task": str(task.id), "kind": task.kind, "state": task.state, "by": by, "result": task.result},
        )
    facts = {
        "id": str(task.id),
        "kind": task.kind,
        "title": task.title,
        "state": task.state,
        "subject": str(task.subject_id) if task.subject_id else None,
        "grid": task.grid_id,
        "officer": str(task.officer_id) if task.officer_id else None,
        "alert": str(task.alert_id) if task.alert_id else None,
        "version": task.version,
    }
    await stream.append(session, "task", facts)
