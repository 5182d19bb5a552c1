"""WGS-84, GCJ-02 and BD-09: the datum that satellites speak, the one that Chinese maps must use, and Baidu's.

GCJ-02 ("地形图非线性保密处理") is what published maps must be drawn in (Surveying and Mapping Law, 2017; GB 20263). It
moves a place by up to 700 m, in most cities by 300 to 600 m. Its formula was never published; the one here is the
reconstruction that everybody uses, on the ellipsoid of Krasovsky 1940. BD-09 turns and moves GCJ-02 once more, by about
900 m.

Both hold on the mainland and on the sea before it, in `mainland.json`. They are the identity elsewhere: abroad, and in
Hong Kong, Macao and Taiwan, where that law is not in force (it is none of the national laws in Annex III of the Basic
Laws) and maps are drawn on WGS-84. The outline is derived from Natural Earth and true to about 3 km, to 500 m around
Hong Kong and Macao; it says where a formula holds, and no more.

A `Place` carries its datum, so that converting it twice changes nothing. Degrees, plain floats.
"""

import json
import math
from collections import defaultdict
from collections.abc import Callable
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Final

from msgspec import Struct

_KRASOVSKY_M: Final = 6_378_245.0
_ECCENTRICITY_SQUARED: Final = 0.006_693_421_622_965_943
_CENTRE_LATITUDE, _CENTRE_LONGITUDE = 35.0, 105.0
_BAIDU_LATITUDE, _BAIDU_LONGITUDE = 0.006, 0.0065
_BAIDU_WAVE: Final = math.pi * 3000.0 / 180.0
_SOUTH, _NORTH, _WEST, _EAST = 15.0, 54.0, 73.0, 136.0
"""A box around the outline and what is shifted out of it; no formula is asked outside, at a pole or for no number."""
_SETTLED_DEGREES: Final = 1e-11
_MOST_STEPS: Final = 12
"""Each step leaves less than a hundredth of the error; 3 reach a millimetre, 5 the last digit."""

Shift = Callable[[float, float], tuple[float, float]]
Edge = tuple[float, float, float, float]


class Datum(StrEnum):
    """What latitude and longitude are meant in."""

    WGS84 = "wgs84"
    GCJ02 = "gcj02"
    BD09 = "bd09"


class Place(Struct, frozen=True):
    """A place on earth, in degrees of its datum."""

    latitude: float
    longitude: float
    datum: Datum = Datum.WGS84

    def to(self, datum: Datum) -> "Place":
        """Return the same place in another datum; the place itself when that is the one it is in.

        What is turned into WGS-84 is within a millimetre of what it was made of, but just outside of the outline: a
        place within 700 m of it may be a shifted one or one that never was, and is taken as shifted.
        """
        if datum == self.datum:
            return self
        latitude, longitude = _TO_WGS84[self.datum](self.latitude, self.longitude)
        return Place(*_FROM_WGS84[datum](latitude, longitude), datum)


def is_shifted(latitude: float, longitude: float) -> bool:
    """Tell whether GCJ-02 and BD-09 move this place, which is given in WGS-84."""
    if not _is_around(latitude, longitude):
        return False
    crossings = 0
    for south, west, north, east in _bands().get(math.floor(latitude), ()):
        if (south > latitude) != (north > latitude):
            crossings += longitude < west + (latitude - south) / (north - south) * (east - west)
    return crossings % 2 == 1


def gcj02_offset(latitude: float, longitude: float) -> tuple[float, float]:
    """Return by how many degrees GCJ-02 moves a place of the mainland that is given in WGS-84."""
    y, x = latitude - _CENTRE_LATITUDE, longitude - _CENTRE_LONGITUDE
    common = 20 * _sine(6 * x) + 20 * _sine(2 * x)
    north_m = (
        -100
        + 2 * x
        + 3 * y
        + 0.2 * y * y
        + 0.1 * x * y
        + 0.2 * math.sqrt(abs(x))
        + (common + 20 * _sine(y) + 40 * _sine(y / 3) + 160 * _sine(y / 12) + 320 * _sine(y / 30)) * 2 / 3
    )
    east_m = (
        300
        + x
        + 2 * y
        + 0.1 * x * x
        + 0.1 * x * y
        + 0.1 * math.sqrt(abs(x))
        + (common + 20 * _sine(x) + 40 * _sine(x / 3) + 150 * _sine(x / 12) + 300 * _sine(x / 30)) * 2 / 3
    )
    sine = math.sin(math.radians(latitude))
    flattening = 1 - _ECCENTRICITY_SQUARED * sine * sine
    meridian_m = _KRASOVSKY_M * (1 - _ECCENTRICITY_SQUARED) / flattening**1.5
    parallel_m = _KRASOVSKY_M / math.sqrt(flattening) * math.cos(math.radians(latitude))
    return math.degrees(north_m / meridian_m), math.degrees(east_m / parallel_m)


def bd09_of_gcj02(latitude: float, longitude: float) -> tuple[float, float]:
    """Return where Baidu shows a place of the mainland that is given in GCJ-02."""
    radius = math.hypot(longitude, latitude) + 0.000_02 * math.sin(latitude * _BAIDU_WAVE)
    angle = math.atan2(latitude, longitude) + 0.000_003 * math.cos(longitude * _BAIDU_WAVE)
    return radius * math.sin(angle) + _BAIDU_LATITUDE, radius * math.cos(angle) + _BAIDU_LONGITUDE


def _is_around(latitude: float, longitude: float) -> bool:
    return _SOUTH < latitude < _NORTH and _WEST < longitude < _EAST


def _sine(half_turns: float) -> float:
    return math.sin(half_turns * math.pi)


def _gcj02(latitude: float, longitude: float) -> tuple[float, float]:
    north, east = gcj02_offset(latitude, longitude)
    return latitude + north, longitude + east


def _bd09(latitude: float, longitude: float) -> tuple[float, float]:
    return bd09_of_gcj02(*_gcj02(latitude, longitude))


def _same(latitude: float, longitude: float) -> tuple[float, float]:
    return latitude, longitude


def _forward(shift: Shift) -> Shift:
    """Shift on the mainland only."""
    return lambda latitude, longitude: (shift if is_shifted(latitude, longitude) else _same)(latitude, longitude)


def _inverse(shift: Shift) -> Shift:
    """Find the place of the mainland that is shifted to the given one; if there is none, it never was shifted."""

    def undone(latitude: float, longitude: float) -> tuple[float, float]:
        if not _is_around(latitude, longitude):
            return latitude, longitude
        north, east = latitude, longitude
        for _ in range(_MOST_STEPS):
            reached = shift(north, east)
            off = latitude - reached[0], longitude - reached[1]
            north, east = north + off[0], east + off[1]
            if max(map(abs, off)) < _SETTLED_DEGREES:
                break
        return (north, east) if is_shifted(north, east) else (latitude, longitude)

    return undone


_FROM_WGS84: Final = {Datum.WGS84: _same, Datum.GCJ02: _forward(_gcj02), Datum.BD09: _forward(_bd09)}
_TO_WGS84: Final = {Datum.WGS84: _same, Datum.GCJ02: _inverse(_gcj02), Datum.BD09: _inverse(_bd09)}


@cache
def _bands() -> dict[int, list[Edge]]:
    """Return the edges of the outline (south, west, north, east as they run) by whole degrees of latitude."""
    outline = json.loads(Path(__file__).with_name("mainland.json").read_text(encoding="utf-8"))
    bands: defaultdict[int, list[Edge]] = defaultdict(list)
    for ring in outline["rings"]:
        for (west, south), (east, north) in zip(ring, [*ring[1:], ring[0]], strict=True):
            for band in range(math.floor(min(south, north)), math.floor(max(south, north)) + 1):
                bands[band].append((south, west, north, east))
    return dict(bands)
