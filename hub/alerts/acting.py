"""What people do about alerts: each act checked by the lifecycle, kept, archived, shown. The caller commits."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from hub.alerts import repository
from hub.alerts.lifecycle import Act, Alert, AlertState
from hub.alerts.model import AlertRow
from hub.alerts.telling import Telling, notice_of
from hub.organisation import repository as organisation
from hub.stream.stream import Stream
from hub.tasks.opening import open_for_alert
from hub.words.catalogue import described
from protocol.clock import Clock

RECORDED: Final = "camera."
"""Types of alerts that rest on a recording begin so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """What somebody wants done. `actor` is the person, when the caller says who; `key` is who called."""

    act: Act
    key: str
    actor: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkOrder:
    """Who is sent, what for, and until when; the alert's officer where nobody is named."""

    officer_id: UUID | None = None
    kind: str = "verify"
    due: datetime | None = None


async def act_on(
    session: AsyncSession,
    clock: Clock,
    stream: Stream,
    alert: AlertRow,
    ordered: Ordered,
    *,
    work: WorkOrder | None = None,
) -> None:
    """Act upon an alert that the caller holds; an act that was done before changes nothing.

    Raises RefusedRequestError: `alerts.wrong-state`, `alerts.unreviewed-recording`, `alerts.reason-missing`,
    `alerts.four-eyes`, and what opening a task refuses.
    """
    before = await standing(session, alert)
    after = before.after(ordered.act, actor=ordered.actor, reason=ordered.reason)
    if after is before:
        return
    alert.state = after.state.value
    alert.closed_at = clock.now() if after.ended else None
    alert.version += 1
    if ordered.act is Act.DISPATCH:
        await _send(session, clock, stream, alert, work or WorkOrder())
    actor = ordered.actor or ordered.key
    telling = Telling(clock, stream)
    telling.act(alert, ordered.act.value, actor=actor, reason=ordered.reason)
    await telling.write(session)


async def standing(session: AsyncSession, alert: AlertRow) -> Alert:
    """Return what the lifecycle needs to know of an alert."""
    acts = await repository.acts(session, alert.id)
    dispatchers = [act.actor for act in acts if act.act == Act.DISPATCH]
    return Alert(
        state=AlertState(alert.state),
        recorded=alert.type.startswith(RECORDED),
        dispatcher=dispatchers[-1] if dispatchers else None,
    )


async def _send(session: AsyncSession, clock: Clock, stream: Stream, alert: AlertRow, work: WorkOrder) -> None:
    officer_id = work.officer_id or alert.officer_id
    officer = await organisation.officer(session, officer_id) if officer_id else None
    await open_for_alert(
        session,
        clock,
        stream,
        notice_of(alert),
        officer,
        kind=work.kind,
        title=described(alert.type, alert.summary)[:300],
        due=work.due,
    )
