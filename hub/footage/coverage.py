"""How much of an officer's duty was recorded. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

TOLERANCE: Final = timedelta(seconds=2)
"""A recorder that begins a new file leaves out a moment; that is no gap."""


class Span(NamedTuple):
    """A stretch of time: since <= t < until."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Coverage:
    """What of a duty was recorded, and what was not."""

    recorded: timedelta
    share: float
    gaps: tuple[Span, ...]


def covered(duty: Span, clips: Iterable[Span]) -> Coverage:
    """Return how much of a duty the clips cover; where they overlap it counts once."""
    gaps: list[Span] = []
    recorded = timedelta(0)
    reached = duty.since
    for clip in sorted(clips):
        since, until = max(clip.since, duty.since), min(clip.until, duty.until)
        if until <= reached or since >= until:
            continue
        if since - reached > TOLERANCE:
            gaps.append(Span(reached, since))
            recorded += until - since
        else:
            recorded += until - reached
        reached = until
    if duty.until - reached > TOLERANCE:
        gaps.append(Span(reached, duty.until))
    else:
        recorded += duty.until - reached
    length = duty.until - duty.since
    return Coverage(recorded, recorded / length if length else 0.0, tuple(gaps))
