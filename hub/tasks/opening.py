"""Opening tasks: for people, and for alerts."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from hub.notifications.contract import AlertNotice
from hub.organisation.model import Officer
from hub.stream.stream import Stream
from hub.tasks import repository
from hub.tasks.authority import require_authority
from hub.tasks.model import Task
from hub.tasks.telling import tell
from protocol.clock import Clock


async def open_for_alert(
    session: AsyncSession,
    clock: Clock,
    stream: Stream,
    alert: AlertNotice,
    officer: Officer | None,
    *,
    kind: str,
    title: str,
    due: datetime | None,
) -> tuple[Task, bool]:
    """Open the one task that comes of an alert; return it, and whether it is new. The caller commits.

    `alert` must be stored already. Raises RefusedRequestError when the kind is not in the officer's power.
    """
    known = await repository.of_alert(session, alert.alert_id)
    if known is not None:
        return known, False
    task = await open_task(
        session,
        clock,
        stream,
        officer,
        kind=kind,
        title=title,
        due=due,
        subject_id=alert.subject_id,
        grid_id=alert.grid_id,
        alert_id=alert.alert_id,
        by="hub",
    )
    return task, True


async def open_task(
    session: AsyncSession,
    clock: Clock,
    stream: Stream,
    officer: Officer | None,
    *,
    kind: str,
    title: str,
    due: datetime | None,
    subject_id: UUID | None,
    grid_id: str | None,
    by: str,
    alert_id: UUID | None = None,
) -> Task:
    """Open a task, assigned to `officer` if one is given. Raises RefusedRequestError as `require_authority` does."""
    require_authority(kind, officer)
    task = Task(
        id=clock.new_id(),
        kind=kind,
        title=title,
        state="open",
        subject_id=subject_id,
        grid_id=grid_id,
        officer_id=officer.id if officer else None,
        alert_id=alert_id,
        created_at=clock.now(),
        created_by=by,
        due_at=due,
        result="",
        version=1,
    )
    await repository.add(session, task)
    await tell(session, clock, stream, task, act="opened", by=by)
    return task
