"""Telling of an alert: each act is kept, written into the subject's archive, and shown to who follows the stream."""

from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from hub.alerts.model import AlertAct, AlertRow
from hub.grids.model import Grid
from hub.notifications.contract import AlertNotice
from hub.organisation.model import Officer
from hub.stream.stream import Stream
from hub.subjects import archive
from hub.subjects.model import Subject
from protocol.clock import Clock
from protocol.messages import Severity

HUB: Final = "hub"
_IN_CHINESE: Final = {
    "raise": "告警已产生",
    "worsen": "告警已升级",
    "withdraw": "告警依据已撤回",
    "acknowledge": "告警已确认接收",
    "verify": "告警已核实",
    "reject": "告警已排除",
    "dispatch": "告警已派单",
    "close": "告警已关闭",
}


async def tell_act(
    session: AsyncSession, clock: Clock, stream: Stream, alert: AlertRow, *, act: str, actor: str, reason: str = ""
) -> None:
    """Keep one act upon an alert, by a person or by the hub. The caller has changed the alert and its version."""
    now = clock.now()
    session.add(AlertAct(alert_id=alert.id, at=now, actor=actor, act=act, reason=reason[:1000]))
    if alert.subject_id is not None:
        await archive.append(
            session,
            clock,
            alert.subject_id,
            at=now,
            kind=f"alert.{act}",
            summary=f"{_IN_CHINESE[act]}: {alert.summary}",
            ref=f"{alert.id}@{alert.version}",
            data={"alert": str(alert.id), "type": alert.type, "state": alert.state, "by": actor, "reason": reason},
        )
    await tell(session, stream, alert)


async def tell(session: AsyncSession, stream: Stream, alert: AlertRow) -> None:
    """Show an alert, as it is now, to who follows the stream."""
    await session.flush()
    await stream.append(
        session,
        "alert",
        {
            "id": str(alert.id),
            "key": alert.key,
            "type": alert.type,
            "severity": alert.severity,
            "state": alert.state,
            "gateway": alert.gateway,
            "device": alert.device,
            "subject": str(alert.subject_id) if alert.subject_id else None,
            "grid": alert.grid_id,
            "officer": str(alert.officer_id) if alert.officer_id else None,
            "summary": alert.summary,
            "at": alert.began_at.isoformat(),
            "ended_at": alert.condition_ended_at.isoformat() if alert.condition_ended_at else None,
            "times_seen": alert.times_seen,
            "version": alert.version,
        },
    )


async def notice_of(session: AsyncSession, alert: AlertRow) -> AlertNotice:
    """Return an alert as people are told of it."""
    subject = await session.get(Subject, alert.subject_id) if alert.subject_id else None
    grid = await session.get(Grid, alert.grid_id) if alert.grid_id else None
    officer = await session.get(Officer, alert.officer_id) if alert.officer_id else None
    return AlertNotice(
        alert_id=alert.id,
        key=alert.key,
        type=alert.type,
        severity=Severity(alert.severity),
        summary=alert.summary,
        subject_id=alert.subject_id,
        subject_name=subject.name if subject else None,
        grid_id=alert.grid_id,
        grid_name=grid.name if grid else None,
        officer_id=alert.officer_id,
        officer_name=officer.name if officer else None,
        device=alert.device,
        gateway=alert.gateway,
        at=alert.began_at,
        times_seen=alert.times_seen,
    )
