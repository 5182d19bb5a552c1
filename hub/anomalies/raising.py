"""From an anomaly to the one alert of its condition: raised, counted up, made worse, ended. Only people close it."""

from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from hub.alerts import repository
from hub.alerts.model import AlertRow
from hub.alerts.telling import HUB, notice_of, tell, tell_act
from hub.anomalies.model import Anomaly
from hub.anomalies.settings import DEVICE_SILENT, GATEWAY_OFFLINE, AnomaliesSettings
from hub.notifications.contract import Occasion
from hub.notifications.notifying import notify
from hub.organisation.model import Officer
from hub.stream.stream import Stream
from hub.tasks.opening import open_for_alert
from protocol.clock import Clock
from protocol.messages import SEVERITIES, Severity

_TO_MEND: Final = (DEVICE_SILENT, GATEWAY_OFFLINE)


class Raising:
    """Lets alerts follow anomalies. Doing it again for the same anomaly changes nothing. The caller commits."""

    def __init__(self, clock: Clock, stream: Stream, settings: AnomaliesSettings) -> None:
        self._clock = clock
        self._stream = stream
        self._alerting = settings.alerting
        self._seen_by_devices = settings.event_prefixes

    async def follow(self, session: AsyncSession, anomaly: Anomaly) -> None:
        """Let alerts reflect an anomaly that is new or changed, or was withdrawn."""
        if _rank(anomaly.severity) < _rank(self._alerting.alert_from):
            return
        counting = await repository.counting(session, anomaly.id)
        if anomaly.withdrawn_at is not None:
            for alert in counting:
                await self._reflect(session, alert, anomaly)
        elif any(alert.closed_at is None for alert in counting):
            for alert in counting:
                if alert.closed_at is None:
                    await self._reflect(session, alert, anomaly)
        elif not counting:
            await self._count(session, anomaly)

    async def _count(self, session: AsyncSession, anomaly: Anomaly) -> None:
        alert = await repository.open_with_key(session, anomaly.key)
        if alert is None and await repository.raise_new(session, self._raised(anomaly)):
            alert = await repository.open_with_key(session, anomaly.key)
            assert alert is not None  # noqa: S101 - this transaction inserted it
            await repository.count(session, alert.id, anomaly.id)
            await tell_act(session, self._clock, self._stream, alert, act="raise", actor=HUB)
            await notify(session, await notice_of(session, alert), Occasion.RAISED, self._clock)
            await self._open_task(session, alert)
            return
        alert = alert or await repository.open_with_key(session, anomaly.key)
        assert alert is not None  # noqa: S101 - another transaction inserted it, and its commit was waited for
        await repository.count(session, alert.id, anomaly.id)
        await self._reflect(session, alert, anomaly)

    async def _reflect(self, session: AsyncSession, alert: AlertRow, changed: Anomaly) -> None:
        """Make an alert say what its anomalies say now. Its severity only rises."""
        standing = await repository.standing(session, alert.id)
        ended_before = alert.condition_ended_at is not None
        alert.times_seen = standing.number
        alert.version += 1
        alert.began_at = standing.began_at or alert.began_at
        alert.last_seen_at = standing.last_seen_at or alert.last_seen_at
        ended_at = alert.last_seen_at if standing.number else self._clock.now()
        alert.condition_ended_at = ended_at if standing.over else None
        worse = changed.withdrawn_at is None and _rank(changed.severity) > _rank(alert.severity)
        if worse:
            alert.severity = changed.severity
            alert.summary = changed.summary
        if alert.closed_at is not None or not (worse or changed.withdrawn_at):
            await tell(session, self._stream, alert)
        else:
            await self._tell_change(session, alert, changed)
        if alert.closed_at is not None:
            return
        if worse:
            await notify(session, await notice_of(session, alert), Occasion.WORSE, self._clock)
            await self._open_task(session, alert)
        if standing.over and not ended_before:
            await notify(session, await notice_of(session, alert), Occasion.ENDED, self._clock)

    async def _tell_change(self, session: AsyncSession, alert: AlertRow, changed: Anomaly) -> None:
        act = "withdraw" if changed.withdrawn_at is not None else "worsen"
        reason = f"late data: {changed.summary}" if changed.withdrawn_at is not None else changed.summary
        await tell_act(session, self._clock, self._stream, alert, act=act, actor=HUB, reason=reason)

    def _raised(self, anomaly: Anomaly) -> dict[str, object]:
        return {
            "id": self._clock.new_id(),
            "key": anomaly.key,
            "type": anomaly.type,
            "severity": anomaly.severity,
            "state": "raised",
            "gateway": anomaly.gateway,
            "device": anomaly.device,
            "subject_id": anomaly.subject_id,
            "grid_id": anomaly.grid_id,
            "officer_id": anomaly.officer_id,
            "summary": anomaly.summary,
            "began_at": anomaly.began_at,
            "raised_at": self._clock.now(),
            "last_seen_at": anomaly.ended_at or anomaly.began_at,
            "condition_ended_at": anomaly.ended_at,
        }

    async def _open_task(self, session: AsyncSession, alert: AlertRow) -> None:
        """Open a task at once where settings say so; never on the word of a camera that nobody has verified."""
        if alert.type.startswith(self._seen_by_devices):
            return
        grave = _rank(alert.severity) >= _rank(self._alerting.task_from)
        if not grave and alert.type not in self._alerting.task_types:
            return
        officer = await session.get(Officer, alert.officer_id) if alert.officer_id else None
        await open_for_alert(
            session,
            self._clock,
            self._stream,
            await notice_of(session, alert),
            officer,
            kind=task_kind(alert.type),
            title=alert.summary[:300],
            due=None,
        )


def task_kind(alert_type: str) -> str:
    """Return what a task for such an alert asks: to mend a device, or to look. It never is an inspection."""
    return "mend" if alert_type in _TO_MEND else "verify"


def _rank(severity: str) -> int:
    return SEVERITIES.index(Severity(severity))
