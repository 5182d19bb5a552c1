"""One epoch to one fix, or the reason why not.

A fix needs a position, and nobody in the epoch may deny it: no status V, no quality 0, 6, 7 or 8, no mode N, E, M or S,
and no GSA below two dimensions. (Receivers send stale coordinates along with such denials, and simulators look
perfect.) Two sentences of one epoch that put the receiver into places far apart are no fix either: the checksum of NMEA
passes one corruption of two characters in 35.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import Final, TypeVar

from drivers.gps.statements import Place, Statement

_METRES_PER_DEGREE: Final = 111_195
_CONTRADICTION_M: Final = 100.0
# GGA has the most digits in the field, GLL may be older than the rest of its epoch.
_TRUST: Final = {kind: rank for rank, kind in enumerate(("TPV", "GGA", "GNS", "RMC", "GLL", "VTG"))}
_SMALLEST_SIGMA_M: Final = 3.0
_SIGMA_PER_HDOP_M: Final = 4.0

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Fix:
    """What an epoch's sentences agree on; the fields are those of `protocol.messages.Position`.

    `sigma_m` is the receiver's own estimate (distance root mean square of GST, or gpsd's), or max(3 m, 4 m x HDOP).
    """

    place: Place
    altitude_m: float | None
    speed_mps: float | None
    course_deg: float | None
    hdop: float | None
    satellites: int | None
    quality: int | None
    sigma_m: float | None
    cn0_mean_db: float | None
    cn0_spread_db: float | None


@dataclass(frozen=True, slots=True)
class Denial:
    """Why an epoch has no fix; `count` is the counter that it raises."""

    count: str
    reason: str


def conclude(statements: Sequence[Statement]) -> Fix | Denial | None:
    """Return the fix of an epoch, why it has none, or None when it says nothing of a position."""
    if reason := next((statement.no_fix for statement in statements if statement.no_fix), None):
        return Denial("no_fix", reason)
    trusted = sorted(statements, key=lambda statement: _TRUST.get(statement.kind, len(_TRUST)))
    places = [statement.place for statement in trusted if statement.place]
    if not places:
        return None
    dimensions = [statement.dimensions for statement in statements if statement.dimensions is not None]
    if dimensions and max(dimensions) < 2:  # noqa: PLR2004 - receivers with several systems send a GSA for each
        return Denial("no_fix", "fewer than two dimensions")
    if (apart := max(_metres(places[0], place) for place in places)) > _CONTRADICTION_M:
        return Denial("contradictory", f"two sentences of one epoch are {apart:.0f} m apart")
    hdop = _first(statement.hdop for statement in trusted)
    mean, spread = _strengths(statements)
    return Fix(
        place=places[0],
        altitude_m=_first(statement.altitude_m for statement in trusted),
        speed_mps=_first(statement.speed_mps for statement in trusted),
        course_deg=_first(statement.course_deg for statement in trusted),
        hdop=hdop,
        satellites=max((statement.satellites or 0 for statement in trusted), default=0) or None,
        quality=_first(statement.quality for statement in trusted),
        sigma_m=_sigma(_first(statement.sigma_m for statement in trusted), hdop),
        cn0_mean_db=mean,
        cn0_spread_db=spread,
    )


def heard(statements: Iterable[Statement]) -> int:
    """Return how many satellites the epoch heard at all: indoors few, jammed none."""
    return len(_strongest(statements))


def _first(values: Iterable[Value | None]) -> Value | None:
    return next((value for value in values if value is not None), None)


def _sigma(own: float | None, hdop: float | None) -> float | None:
    if own is not None or hdop is None:
        return own
    return max(_SMALLEST_SIGMA_M, _SIGMA_PER_HDOP_M * hdop)


def _strengths(statements: Iterable[Statement]) -> tuple[float | None, float | None]:
    """Mean and population standard deviation of C/N0 over the satellites heard."""
    strongest = list(_strongest(statements).values())
    return (fmean(strongest), pstdev(strongest)) if strongest else (None, None)


def _strongest(statements: Iterable[Statement]) -> dict[str, float]:
    """Return each satellite's strongest signal: modern receivers list one satellite on several frequencies."""
    strongest: dict[str, float] = {}
    for statement in statements:
        for signal in statement.signals:
            strongest[signal.satellite] = max(signal.cn0_db, strongest.get(signal.satellite, 0.0))
    return strongest


def _metres(one: Place, other: Place) -> float:
    north = other.latitude - one.latitude
    east = ((other.longitude - one.longitude + 180) % 360 - 180) * math.cos(math.radians(one.latitude))
    return math.hypot(north, east) * _METRES_PER_DEGREE
