"""Where a box that stands still is: the mean of many fixes, without those that fell out."""

import math
from collections.abc import Sequence
from statistics import fmean, median
from typing import Final

from msgspec import Struct

from protocol.messages import Position

ENOUGH: Final = 10
_OUT_OF: Final = 3.0
_LEAST_SPREAD_M: Final = 2.0
_SPS_M: Final = 8.0
"""95 % of positions, over the whole globe (GPS Standard Positioning Service Performance Standard, 2020). A mean over
half a minute does not better it: the errors of the satellites last longer than that."""
_METRES_PER_DEGREE: Final = 111_320.0


class Mean(Struct, frozen=True, kw_only=True):
    """A place in WGS-84 degrees, the radius in metres that it is good to (95 %), and from how many fixes it comes."""

    latitude: float
    longitude: float
    accuracy_m: float
    fixes: int
    left_out: int = 0


def mean_of(fixes: Sequence[Position]) -> Mean | None:
    """Return the mean of fixes; None for fewer than ENOUGH.

    A fix farther from the middle than three times the median distance (at least 6 m) is left out. The radius is the
    greatest of twice the root mean square distance, twice the receiver's own estimate, and what GPS promises.
    """
    if len(fixes) < ENOUGH:
        return None
    latitude, longitude = median(fix.latitude for fix in fixes), median(fix.longitude for fix in fixes)
    distances = [_metres(fix, latitude, longitude) for fix in fixes]
    bound = _OUT_OF * max(median(distances), _LEAST_SPREAD_M)
    kept = [fix for fix, distance in zip(fixes, distances, strict=True) if distance <= bound]
    latitude, longitude = fmean(fix.latitude for fix in kept), fmean(fix.longitude for fix in kept)
    spread = math.sqrt(fmean(_metres(fix, latitude, longitude) ** 2 for fix in kept))
    own = [fix.sigma_m for fix in kept if fix.sigma_m is not None]
    return Mean(
        latitude=round(latitude, 7),
        longitude=round(longitude, 7),
        accuracy_m=round(max(2 * spread, 2 * median(own) if own else 0.0, _SPS_M), 1),
        fixes=len(kept),
        left_out=len(fixes) - len(kept),
    )


def _metres(fix: Position, latitude: float, longitude: float) -> float:
    """Return the distance on a plane that touches the ground there; centimetres off within a kilometre."""
    east = (fix.longitude - longitude) * math.cos(math.radians(latitude))
    return math.hypot(fix.latitude - latitude, east) * _METRES_PER_DEGREE
