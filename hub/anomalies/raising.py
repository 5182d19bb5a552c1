"""From an anomaly to the one alert of its condition: raised, counted up, made worse, ended. Only people close it."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from hub.alerts import repository
from hub.alerts.model import AlertRow
from hub.alerts.standing import Standing
from hub.alerts.telling import HUB, Telling, notice_of
from hub.anomalies.model import Anomaly
from hub.anomalies.settings import DEVICE_SILENT, GATEWAY_OFFLINE, TERMINAL_SILENT, AnomaliesSettings
from hub.notifications.contract import Occasion
from hub.organisation.model import Officer
from hub.stream.stream import Stream
from hub.tasks.opening import open_for_alert
from hub.words.catalogue import described
from protocol.clock import Clock
from protocol.messages import SEVERITIES, Severity

LATE_DATA: Final = "迟到数据"
"""Why anomalies are withdrawn, unless something else is said."""

_TO_MEND: Final = (DEVICE_SILENT, GATEWAY_OFFLINE, TERMINAL_SILENT)


class Raising:
    """Lets alerts follow anomalies. Doing it again for the same anomaly changes nothing. The caller commits."""

    def __init__(self, clock: Clock, stream: Stream, settings: AnomaliesSettings) -> None:
        self._clock = clock
        self._stream = stream
        self._alerting = settings.alerting
        self._seen_by_devices = settings.event_prefixes

    async def follow(self, session: AsyncSession, anomalies: Sequence[Anomaly], *, because: str = LATE_DATA) -> None:
        """Let alerts reflect anomalies that are new or changed, or were withdrawn because of this, in this order."""
        grave = [each for each in anomalies if _rank(each.severity) >= _rank(self._alerting.alert_from)]
        if not grave:
            return
        known = await repository.concerned(session, grave)
        uncounted = [each for each in grave if each.withdrawn_at is None and each.id not in known.counting]
        raising = await self._raise(session, known.open, uncounted)
        await repository.count(session, [(known.open[each.key], each) for each in uncounted])
        reflecting = {
            each.id: _reflecting(each, known.counting[each.id]) for each in grave if each.id in known.counting
        }
        # An anomaly that is only counted adds to what its alert says; where one changed, all are counted anew.
        changed = {alert.id for alerts in reflecting.values() for alert in alerts}
        anew = await repository.standings(session, changed) if changed else {}
        reflecting |= {each.id: [known.open[each.key]] for each in uncounted}
        following = Following(Telling(self._clock, self._stream), self._clock, because)
        for each in grave:
            for alert in reflecting.get(each.id, ()):
                if raising.get(alert.id) == each.id:
                    following.begin(alert)
                elif alert.id in anew:
                    following.reflect(alert, each, anew[alert.id])
                else:
                    following.reflect(alert, each, Standing.of(alert).with_one_more(each.began_at, each.ended_at))
        await following.telling.write(session)
        for alert in following.graver.values():
            await self._open_task(session, alert)

    async def _raise(
        self, session: AsyncSession, opened: dict[str, AlertRow], uncounted: Sequence[Anomaly]
    ) -> dict[UUID, UUID]:
        """Raise an alert for each condition that has none, and add it to `opened`; return what raised which alert."""
        first: dict[str, Anomaly] = {}
        for anomaly in uncounted:
            if anomaly.key not in opened:
                first.setdefault(anomaly.key, anomaly)
        rows = {key: self._raised(anomaly) for key, anomaly in first.items()}
        if rows:
            opened |= await repository.raise_new(session, list(rows.values()))
        # Another transaction may have raised one meanwhile: then that is the one, and its commit was waited for.
        return {opened[key].id: first[key].id for key, row in rows.items() if opened[key].id == row["id"]}

    def _raised(self, anomaly: Anomaly) -> dict[str, Any]:
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
            notice_of(alert),
            officer,
            kind=task_kind(alert.type),
            title=described(alert.type, alert.summary)[:300],
            due=None,
        )


class Following:
    """Alerts that follow anomalies one after the other, in memory, and what there is to tell of that.

    `graver` holds the alerts that are new or became worse: they may ask for a task.
    """

    def __init__(self, telling: Telling, clock: Clock, because: str) -> None:
        self.telling = telling
        self.graver: dict[UUID, AlertRow] = {}
        self._clock = clock
        self._because = because

    def begin(self, alert: AlertRow) -> None:
        """Take an alert that an anomaly has just raised."""
        self.telling.act(alert, "raise", actor=HUB)
        self.telling.notify(alert, Occasion.RAISED)
        self.graver[alert.id] = alert

    def reflect(self, alert: AlertRow, changed: Anomaly, standing: Standing) -> None:
        """Make an alert say what its anomalies say now. Its severity only rises."""
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
        self.telling.show(alert)
        if alert.closed_at is not None:
            return
        if changed.withdrawn_at is not None:
            reason = f"{self._because}: {described(changed.type, changed.summary)}"
            self.telling.act(alert, "withdraw", actor=HUB, reason=reason)
        elif worse:
            self.telling.act(alert, "worsen", actor=HUB, reason=changed.summary)
            self.telling.notify(alert, Occasion.WORSE)
            self.graver[alert.id] = alert
        if standing.over and not ended_before:
            self.telling.notify(alert, Occasion.ENDED)


def _reflecting(anomaly: Anomaly, counting: Sequence[AlertRow]) -> Sequence[AlertRow]:
    """Return which of the alerts that count an anomaly reflect it: ended ones only that it was withdrawn."""
    return counting if anomaly.withdrawn_at is not None else [each for each in counting if each.closed_at is None]


def task_kind(alert_type: str) -> str:
    """Return what a task for such an alert asks: to mend a device, or to look. It never is an inspection."""
    return "mend" if alert_type in _TO_MEND else "verify"


def _rank(severity: str) -> int:
    return SEVERITIES.index(Severity(severity))
