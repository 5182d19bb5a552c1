"""A position as the detectors see it: whole microseconds, degrees, and an error bar that can be trusted."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from math import cos, hypot, radians
from typing import Final

from msgspec import Struct

from hub.anomalies.finding import microseconds
from protocol.messages import Position

METRES_PER_DEGREE: Final = 111_194.93  # of latitude, on a sphere of radius 6,371,008.8 m (IUGG mean radius)
_PRESENCE: Final = frozenset({1, 2, 3, 4, 5, 9})  # GGA qualities that are satellites, not estimates, hands, simulators
_LEAST_SIGMA_M: Final = 3.0
_SIGMA_PER_HDOP_M: Final = 4.0
_UNKNOWN_SIGMA_M: Final = 5.0
_MOST_SIGMA_M: Final = 100.0  # a receiver that claims more may not switch the detectors off


class Fix(Struct, frozen=True, array_like=True, gc=False):
    """Where a device was. Fixes are ordered by device time, then by place, so that order never depends on arrival."""

    at_us: int
    latitude: float
    longitude: float
    sigma_m: float = _UNKNOWN_SIGMA_M
    speed_mps: float | None = None


def fix_of(position: Position) -> Fix | None:
    """Return the fix of a position, or None when its quality cannot place a device (estimated, manual, simulated).

    Sigma is the receiver's own (GST) where it gives one, else max(3 m, 4 m * HDOP).
    """
    if position.quality is not None and position.quality not in _PRESENCE:
        return None
    sigma = position.sigma_m
    if sigma is None:
        sigma = _UNKNOWN_SIGMA_M if position.hdop is None else max(_LEAST_SIGMA_M, _SIGMA_PER_HDOP_M * position.hdop)
    return Fix(
        microseconds(position.at),
        position.latitude,
        position.longitude,
        min(sigma, _MOST_SIGMA_M),
        position.speed_mps,
    )


def is_judged(position: Position, received_at: datetime, future: timedelta, horizon: timedelta) -> bool:
    """Whether a position takes part: not from a clock that runs ahead, not older than the horizon when it came."""
    return received_at - horizon <= position.at <= received_at + future


def in_order(fixes: Iterable[Fix]) -> list[Fix]:
    """Return fixes in their one order; repeats of the same fix stay."""
    return sorted(fixes, key=_place_in_order)


def metres_between(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """Return the distance on a local plane; within 0.1 % up to 100 km at latitudes where people inspect shops."""
    east = other_longitude - longitude
    if east > 180.0 or east < -180.0:  # noqa: PLR2004 - degrees of half a turn
        east = (east + 180.0) % 360.0 - 180.0
    north = other_latitude - latitude
    return METRES_PER_DEGREE * hypot(north, east * cos(radians(latitude + north / 2)))


def _place_in_order(fix: Fix) -> tuple[int, float, float, float, float]:
    speed = -1.0 if fix.speed_mps is None else fix.speed_mps
    return fix.at_us, fix.latitude, fix.longitude, fix.sigma_m, speed
