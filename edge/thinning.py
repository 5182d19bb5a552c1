"""Fewer fixes, the same track: what a position stream can do without, and by how much that may be wrong.

**The bound.** Join the sent fixes of one stretch by straight lines in time and degrees: at the time of every withheld
fix that line passes within `dead_band_m` of it. (A stretch ends where device time goes back; `flush` completes it.)
Only fixes that the receiver made are sent, none is averaged or moved. This is an opening-window line simplification
under the synchronised Euclidean distance (Meratnia and de By, "Spatiotemporal compression techniques for moving point
objects", EDBT 2004), with a window that never outlasts `max_interval_s`.

**What the hub may rely on.** While a unit moves (it left the dead band around its last sent fix), a fix comes at least
every `moving_interval_s`; at rest, every `max_interval_s`. So a rule such as "six consecutive fixes outside the grid"
sees its six fixes within a minute of a unit that walks, but within six of a unit that stands: the hub has to reason on
the time that the fixes span ("six fixes or 60 s"), never on their number alone. The last fix before a silence longer
than `max_interval_s` and the first after it are both sent, so that a silence is never read as slow movement.
"""

from dataclasses import dataclass
from math import cos, radians
from typing import Final

from protocol.messages import Position

_METRES_PER_DEGREE: Final = 111_194.93  # of latitude, on a sphere of radius 6,371,008.8 m (IUGG mean radius)
_MAX_WITHHELD: Final = 1_024


@dataclass(frozen=True, slots=True)
class Thinning:
    """How much a track may be thinned.

    A change of course counts from `turning_mps` on: below it a receiver's course is noise.
    """

    dead_band_m: float = 10.0
    turn_deg: float = 30.0
    turning_mps: float = 2.0
    moving_interval_s: float = 5.0
    max_interval_s: float = 60.0


@dataclass(frozen=True, slots=True)
class _Place:
    """A fix relative to the last one sent: seconds, degrees, and the cosine of its latitude."""

    elapsed_s: float
    north_deg: float
    east_deg: float
    cosine: float


class Thinner:
    """The thinning of one device's fixes. Give it every fix, send what it returns, in that order."""

    def __init__(self, settings: Thinning | None = None) -> None:
        self._settings = settings or Thinning()
        self._bound_deg2 = (self._settings.dead_band_m / _METRES_PER_DEGREE) ** 2
        self._sent: Position | None = None
        self._latest: Position | None = None
        self._withheld: list[_Place] = []

    def take(self, position: Position) -> tuple[Position, ...]:
        """Return what has to be sent now, oldest first; often nothing, sometimes the fix before this one as well."""
        if self._sent is None or self._latest is None:
            return self._send(position)
        if position.at <= self._latest.at:
            return (*self.flush(), *self._send(position))
        silent = (position.at - self._latest.at).total_seconds() > self._settings.max_interval_s
        place = _relative(position, self._sent)
        before = self.flush() if silent or not self._fits(place) else ()
        if before:
            place = _relative(position, self._sent)
        if silent or self._due(position, place):
            return (*before, *self._send(position))
        self._withheld.append(place)
        self._latest = position
        return before

    def flush(self) -> tuple[Position, ...]:
        """Return the latest fix if it was withheld: for the end of a stretch, a device that is lost, or a shutdown."""
        return self._send(self._latest) if self._withheld and self._latest else ()

    def _send(self, position: Position) -> tuple[Position]:
        self._sent = self._latest = position
        self._withheld.clear()
        return (position,)

    def _fits(self, end: _Place) -> bool:
        """Whether the straight line to `end` keeps the bound at every fix withheld so far."""
        bound, north, east = self._bound_deg2, end.north_deg / end.elapsed_s, end.east_deg / end.elapsed_s
        for place in self._withheld:
            off_north = north * place.elapsed_s - place.north_deg
            off_east = (east * place.elapsed_s - place.east_deg) * place.cosine
            if off_north * off_north + off_east * off_east > bound:
                return False
        return True

    def _due(self, position: Position, place: _Place) -> bool:
        settings = self._settings
        if place.elapsed_s >= settings.max_interval_s or len(self._withheld) >= _MAX_WITHHELD:
            return True
        east = place.east_deg * place.cosine
        left = place.north_deg * place.north_deg + east * east > self._bound_deg2
        return (left and place.elapsed_s >= settings.moving_interval_s) or self._turned(position)

    def _turned(self, position: Position) -> bool:
        sent = self._sent
        if sent is None or position.flags != sent.flags:
            return True
        if sent.course_deg is None or position.course_deg is None:
            return False
        slowest = min(sent.speed_mps or 0.0, position.speed_mps or 0.0)
        turn = abs((position.course_deg - sent.course_deg + 180) % 360 - 180)
        return slowest >= self._settings.turning_mps and turn >= self._settings.turn_deg


def _relative(position: Position, origin: Position) -> _Place:
    east = (position.longitude - origin.longitude + 180) % 360 - 180
    return _Place(
        (position.at - origin.at).total_seconds(),
        position.latitude - origin.latitude,
        east,
        cos(radians(position.latitude)),
    )
