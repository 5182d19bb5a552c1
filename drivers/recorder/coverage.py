"""Where a unit's footage has holes, and where two clips claim the same time. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Flaw(StrEnum):
    """What is wrong between two clips; the value is the type of its event."""

    GAP = "recorder.gap"
    OVERLAP = "recorder.overlap"


@dataclass(frozen=True, slots=True, order=True)
class Stretch:
    """A clip's time, and its SHA-256."""

    began_at: datetime
    ended_at: datetime
    sha256: str


@dataclass(frozen=True, slots=True)
class Between:
    """A gap between two clips, or the time that both claim."""

    flaw: Flaw
    since: datetime
    until: datetime
    before: str
    after: str

    @property
    def seconds(self) -> float:
        """How long it is."""
        return (self.until - self.since).total_seconds()


def flaws(stretches: Iterable[Stretch], *, tolerance_s: float, shift_break_s: float) -> Iterator[Between]:
    """Yield what is wrong between the clips of one unit, in the order of time.

    A gap lasts longer than `tolerance_s` and not longer than `shift_break_s`, which is a pause between two shifts; an
    overlap lasts longer than `tolerance_s`. A gap begins where the footage so far ends, whichever clip that is.
    """
    reached: Stretch | None = None
    for stretch in sorted(stretches):
        if reached is not None:
            hole_s = (stretch.began_at - reached.ended_at).total_seconds()
            if tolerance_s < hole_s <= shift_break_s:
                yield Between(Flaw.GAP, reached.ended_at, stretch.began_at, reached.sha256, stretch.sha256)
            elif -hole_s > tolerance_s:
                until = min(reached.ended_at, stretch.ended_at)
                if (until - stretch.began_at).total_seconds() > tolerance_s:
                    yield Between(Flaw.OVERLAP, stretch.began_at, until, reached.sha256, stretch.sha256)
        if reached is None or stretch.ended_at > reached.ended_at:
            reached = stretch
