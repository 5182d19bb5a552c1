"""What a device itself says is wrong: its events, as anomalies that begin and end."""

from hub.anomalies.finding import Finding, microseconds
from hub.anomalies.settings import AnomaliesSettings
from protocol.messages import SEVERITIES, Event, EventState

_OVER = (EventState.ENDED, EventState.INSTANT)


class DeviceEvents:
    """Takes the events whose types it is told to, `camera.` by default."""

    def __init__(self, settings: AnomaliesSettings) -> None:
        self._prefixes = settings.event_prefixes

    def judge(self, event: Event) -> Finding | None:
        """Return what one message of a happening shows; `merged` puts those of one happening together."""
        if not event.type.startswith(self._prefixes):
            return None
        at_us = microseconds(event.at)
        data = dict(event.data)
        if event.score is not None:
            data["score"] = event.score
        if event.clip is not None:
            data["clip"] = {"from": event.clip.since.isoformat(), "to": event.clip.until.isoformat()}
        return Finding(
            type=event.type,
            severity=event.severity,
            began_us=at_us,
            decided_us=at_us,
            ended_us=at_us if event.state in _OVER else None,
            summary="" if event.score is None else f"{event.score * 100:.0f} %",
            data=data,
        )


def merged(one: Finding, other: Finding) -> Finding:
    """Put two findings of one happening together: the same whichever message comes first."""
    first, second = sorted((one, other), key=lambda finding: (finding.began_us, finding.decided_us))
    ends = [finding.ended_us for finding in (one, other) if finding.ended_us is not None]
    return Finding(
        type=first.type,
        severity=max(one.severity, other.severity, key=SEVERITIES.index),
        began_us=first.began_us,
        decided_us=first.decided_us,
        ended_us=max(ends, default=None),
        summary=first.summary,
        data=second.data | first.data,
    )
