"""Tracks for tests and benches: recorded walks and drives, with noise and faults of a known kind put into them."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import cos, exp, radians, sqrt
from pathlib import Path
from xml.etree import ElementTree as ET

from hub.anomalies.finding import microseconds
from hub.anomalies.fixes import METRES_PER_DEGREE, Fix

RECORDINGS = Path(__file__).parents[2].parent / "shared" / "data" / "gps"


def recorded() -> dict[str, list[Fix]]:
    """Return every recording with times: GPX walks and drives, and the surveyed drive at 1 Hz and at 5 s."""
    tracks = {path.stem: gpx(path) for path in sorted((RECORDINGS / "gpx").glob("*.gpx"))}
    drive = surveyed(RECORDINGS / "drive" / "MTV.Local1.SPAN.20200206-181434.gga")
    tracks |= {"drive at 1 Hz": drive, "drive each 5 s": drive[::5]}
    return {name: track for name, track in tracks.items() if len(track) > 20}


def gpx(path: Path) -> list[Fix]:
    """Return the timed points of a GPX file."""
    fixes = []
    for point in ET.parse(path).getroot().iter():  # noqa: S314 - our own recordings
        times = [child.text for child in point if child.tag.endswith("}time")]
        if point.tag.endswith("}trkpt") and times and times[0]:
            at_us = microseconds(datetime.fromisoformat(times[0]))
            fixes.append(Fix(at_us, float(point.attrib["lat"]), float(point.attrib["lon"]), 3.0))
    return fixes


def surveyed(path: Path) -> list[Fix]:
    """Return the GGA fixes of the surveyed drive of 2020-02-06."""
    midnight = microseconds(datetime.fromisoformat("2020-02-06T00:00:00Z"))
    fixes = []
    for line in path.read_text("ascii").splitlines():
        words = line.split(",")
        if not words[0].endswith("GGA") or not words[2]:
            continue
        clock = words[1]
        seconds = int(clock[:2]) * 3600 + int(clock[2:4]) * 60 + float(clock[4:])
        at_us = midnight + round(seconds * 1e6)
        fixes.append(Fix(at_us, _degrees(words[2], words[3]), _degrees(words[4], words[5]), 3.0))
    return fixes


def _degrees(value: str, hemisphere: str) -> float:
    point = value.index(".") - 2
    degrees = float(value[:point]) + float(value[point:]) / 60
    return -degrees if hemisphere in "SW" else degrees


def displaced(fix: Fix, north_m: float, east_m: float) -> Fix:
    """Return the fix, moved."""
    latitude = fix.latitude + north_m / METRES_PER_DEGREE
    longitude = fix.longitude + east_m / (METRES_PER_DEGREE * cos(radians(fix.latitude)))
    return Fix(fix.at_us, latitude, longitude, fix.sigma_m, fix.speed_mps)


def standing(
    latitude: float, longitude: float, start: datetime, *, count: int, interval_s: float = 10.0, sigma_m: float = 5.0
) -> list[Fix]:
    """Return fixes at one place, without noise."""
    first = microseconds(start)
    step = microseconds(start + timedelta(seconds=interval_s)) - first
    return [Fix(first + number * step, latitude, longitude, sigma_m) for number in range(count)]


class Wander:
    """The error of a receiver: an AR(1) process in each direction, as multipath and the atmosphere make it."""

    def __init__(self, chance: random.Random, sigma_m: float, correlation_s: float = 30.0) -> None:
        self._chance, self._sigma, self._correlation_s = chance, sigma_m, correlation_s
        self._north, self._east = chance.gauss(0, sigma_m), chance.gauss(0, sigma_m)

    def after(self, seconds: float) -> tuple[float, float]:
        """Return the error so many seconds later, metres north and east."""
        keep = exp(-seconds / self._correlation_s)
        fresh = self._sigma * sqrt(1 - keep * keep)
        self._north = keep * self._north + self._chance.gauss(0, fresh)
        self._east = keep * self._east + self._chance.gauss(0, fresh)
        return self._north, self._east


@dataclass
class Faulted:
    """A track with faults: which fixes are glitches, and the times of the first fixes after permanent leaps."""

    fixes: list[Fix]
    glitches: set[int] = field(default_factory=set)
    leaps: list[int] = field(default_factory=list)


def faulted(track: Sequence[Fix], chance: random.Random, *, noise_m: float = 3.0) -> Faulted:
    """Put in noise, glitches of 1 to 4 fixes and 60 to 5,000 m, often a bad first fix, often a leap of 1 to 20 km."""
    fixes = [displaced(fix, chance.gauss(0, noise_m), chance.gauss(0, noise_m)) for fix in track]
    made = Faulted(fixes)
    if chance.random() < 0.5:
        _leap(made, chance)
    if chance.random() < 0.3:
        fixes[0] = _thrown(fixes[0], chance, 2_000, 50_000)
        made.glitches.add(fixes[0].at_us)
    for start, length in _runs(len(fixes), chance):
        _glitch(made, chance, start, length)
    return made


def _runs(count: int, chance: random.Random) -> Iterator[tuple[int, int]]:
    index = chance.randint(8, 40)
    while index + 12 < count:
        length = chance.randint(1, 4)
        yield index, length
        index += length + chance.randint(15, 60)


def _leap(made: Faulted, chance: random.Random) -> None:
    if len(made.fixes) < 60:
        return
    at = chance.randrange(20, len(made.fixes) - 20)
    made.leaps.append(made.fixes[at].at_us)
    north, east = _offset(chance, 1_000, 20_000)
    made.fixes[at:] = [displaced(fix, north, east) for fix in made.fixes[at:]]


def _glitch(made: Faulted, chance: random.Random, start: int, length: int) -> None:
    span = range(start, start + length)
    if any(abs(made.fixes[index].at_us - leap) < 90_000_000 for index in span for leap in made.leaps):
        return
    north, east = _offset(chance, 60, 5_000)
    for index in span:
        fix = displaced(made.fixes[index], north + chance.gauss(0, 5), east + chance.gauss(0, 5))
        made.fixes[index] = fix
        made.glitches.add(fix.at_us)


def _thrown(fix: Fix, chance: random.Random, least_m: float, most_m: float) -> Fix:
    return displaced(fix, *_offset(chance, least_m, most_m))


def _offset(chance: random.Random, least_m: float, most_m: float) -> tuple[float, float]:
    metres = least_m * (most_m / least_m) ** chance.random()
    north = chance.uniform(-1, 1)
    return metres * north, metres * sqrt(1 - north * north) * chance.choice((-1, 1))
