"""When a cabinet is too warm or too cold: outside its limits, for long enough, and back by a margin."""

from dataclasses import dataclass
from enum import StrEnum

from drivers.thermometer.options import Limits


class Turn(StrEnum):
    """What becomes of the event."""

    BEGINS = "begins"
    ENDS = "ends"


@dataclass(slots=True)
class Excursion:
    """A stay outside of the limits: since when on the monotonic clock, and the value farthest out."""

    since: float
    worst: float
    is_told: bool = False


class Watch:
    """Follows one value; `is_open` is whether an event of it had begun when the box last stopped."""

    def __init__(self, limits: Limits, *, is_open: bool) -> None:
        self._limits = limits
        self._was_open = is_open
        self.excursion: Excursion | None = None

    def see(self, value: float, now: float) -> Turn | None:
        """Take the next measurement, at `now` seconds of the monotonic clock; return what it makes of the event."""
        if self.excursion is None:
            beyond = self._beyond(value, margin=0.0) if not self._was_open else self._beyond(value, self._hysteresis)
            if beyond > 0:
                self.excursion = Excursion(now, value, is_told=self._was_open)
            elif self._was_open:
                self._was_open = False
                return Turn.ENDS
            self._was_open = False
        elif self._beyond(value, self._hysteresis) <= 0:
            told, self.excursion = self.excursion.is_told, None
            return Turn.ENDS if told else None
        elif self._beyond(value, 0.0) > self._beyond(self.excursion.worst, 0.0):
            self.excursion.worst = value
        if self.excursion and not self.excursion.is_told and now - self.excursion.since >= self._limits.minutes * 60:
            self.excursion.is_told = True
            return Turn.BEGINS
        return None

    @property
    def _hysteresis(self) -> float:
        return self._limits.hysteresis

    def _beyond(self, value: float, margin: float) -> float:
        """Return by how much the value is outside of limits that are narrower by a margin; 0 or less is inside."""
        low, high = self._limits.low, self._limits.high
        below = low + margin - value if low is not None else 0.0
        above = value - (high - margin) if high is not None else 0.0
        return max(below, above)
