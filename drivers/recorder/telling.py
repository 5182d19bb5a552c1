"""What is said of a docking: the events of a recorder."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid5

from drivers.contract import Report
from drivers.footage import Clip
from drivers.recorder.coverage import Between, Flaw
from protocol.clock import Clock
from protocol.messages import Event, EventState, Severity, Span

CLIP: Final = "recorder.clip"
DOCKED: Final = "recorder.docked"
UNDOCKED: Final = "recorder.undocked"
UNREADABLE: Final = "recorder.unreadable"
NO_ROOM: Final = "recorder.no_room"
COPY_DIFFERS: Final = "recorder.copy_differs"

_SEVERITIES: Final = {
    UNREADABLE: Severity.MAJOR,
    NO_ROOM: Severity.MAJOR,
    COPY_DIFFERS: Severity.CRITICAL,
    Flaw.GAP: Severity.INFO,
    Flaw.OVERLAP: Severity.MINOR,
}
_FLAWS: Final = UUID("7b0a4f0e-6d0b-5a51-9d2c-3f6f0e6a8b11")
"""The name space of gaps and overlaps: one between the same two clips is the same one whenever it is found."""


def iso(at: datetime | None) -> str | None:
    """Write a time as the wire does; None stays None."""
    return None if at is None else at.isoformat().replace("+00:00", "Z")


def told(device: str, clock: Clock, kind: str, data: dict[str, Any]) -> Report:
    """Return the report of something that happened now."""
    return Report(_event(device, clock.now(), kind, clock.new_id(), data))


def clip_told(clip: Clip) -> Report:
    """Return the report of a clip: the same one, under the same id, however often it is told."""
    return Report(_event(clip.device, clip.kept_at, CLIP, clip.event, clip.facts, span=_span(clip)))


def between_told(device: str, at: datetime, found: Between, unit: str) -> Report:
    """Return the report of a gap or an overlap of a unit's footage."""
    data = {
        "unit": unit,
        "from": iso(found.since),
        "until": iso(found.until),
        "seconds": round(found.seconds, 3),
        "before": found.before,
        "after": found.after,
    }
    number = uuid5(_FLAWS, f"{found.flaw}{found.before}{found.after}")
    return Report(_event(device, at, found.flaw, number, data, span=Span(since=found.since, until=found.until)))


def without_nothing(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return what is known of some facts."""
    return {name: value for name, value in pairs if value is not None}


def _span(clip: Clip) -> Span | None:
    if clip.began_at is None or clip.ended_at is None:
        return None
    return Span(since=clip.began_at, until=clip.ended_at)


def _event(
    device: str, at: datetime, kind: str, number: UUID, data: dict[str, Any], *, span: Span | None = None
) -> Event:
    return Event(
        device=device,
        at=at,
        type=str(kind),
        severity=_SEVERITIES.get(kind, Severity.INFO),
        id=number,
        state=EventState.INSTANT,
        data=data,
        clip=span,
    )
