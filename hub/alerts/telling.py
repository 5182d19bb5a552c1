"""Telling of an alert: each act is kept, written into the subject's archive, and shown to who follows the stream."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from hub.alerts import repository
from hub.alerts.model import AlertRow
from hub.notifications.contract import AlertNotice, Occasion
from hub.notifications.notifying import notify_all
from hub.stream.stream import Stream
from hub.subjects import archive
from hub.words.catalogue import described
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


class Telling:
    """What one transaction has to tell of alerts: gathered while it is decided, written down together.

    An alert is shown once, as it is in the end. The caller changes the alerts and their versions, and commits.
    """

    def __init__(self, clock: Clock, stream: Stream) -> None:
        self._clock = clock
        self._stream = stream
        self._acts: list[dict[str, Any]] = []
        self._entries: list[archive.Entry] = []
        self._notices: list[tuple[AlertNotice, Occasion]] = []
        self._shown: dict[UUID, AlertRow] = {}

    def act(self, alert: AlertRow, act: str, *, actor: str, reason: str = "") -> None:
        """Keep one act upon an alert, by a person or by the hub, and show the alert."""
        now = self._clock.now()
        self._acts.append({"alert_id": alert.id, "at": now, "actor": actor, "act": act, "reason": reason[:1000]})
        if alert.subject_id is not None:
            facts = {"alert": str(alert.id), "type": alert.type, "state": alert.state, "by": actor, "reason": reason}
            entry = archive.Entry(
                subject_id=alert.subject_id,
                at=now,
                kind=f"alert.{act}",
                summary=f"{_IN_CHINESE[act]}: {described(alert.type, alert.summary)}",
                ref=f"{alert.id}@{alert.version}",
                data=facts,
            )
            self._entries.append(entry)
        self.show(alert)

    def show(self, alert: AlertRow) -> None:
        """Show an alert to who follows the stream."""
        self._shown[alert.id] = alert

    def notify(self, alert: AlertRow, occasion: Occasion) -> None:
        """Tell people of an alert, as it is now."""
        self._notices.append((notice_of(alert), occasion))

    async def write(self, session: AsyncSession) -> None:
        """Write everything down."""
        await session.flush()
        await repository.add_acts(session, self._acts)
        await archive.append_all(session, self._clock, self._entries)
        if self._notices:
            notices = await repository.with_names(session, [notice for notice, _ in self._notices])
            occasions = [occasion for _, occasion in self._notices]
            await notify_all(session, list(zip(notices, occasions, strict=True)), self._clock)
        await self._stream.append_all(session, [("alert", _facts(alert)) for alert in self._shown.values()])


def notice_of(alert: AlertRow) -> AlertNotice:
    """Return an alert as people are told of it, without the names of what it concerns."""
    return AlertNotice(
        alert_id=alert.id,
        key=alert.key,
        type=alert.type,
        severity=Severity(alert.severity),
        summary=alert.summary,
        subject_id=alert.subject_id,
        grid_id=alert.grid_id,
        officer_id=alert.officer_id,
        device=alert.device,
        gateway=alert.gateway,
        at=alert.began_at,
        times_seen=alert.times_seen,
    )


def _facts(alert: AlertRow) -> dict[str, Any]:
    return {
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
        "summary": described(alert.type, alert.summary, "en"),
        "at": alert.began_at.isoformat(),
        "ended_at": alert.condition_ended_at.isoformat() if alert.condition_ended_at else None,
        "times_seen": alert.times_seen,
        "version": alert.version,
    }
