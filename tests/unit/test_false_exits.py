"""How often noise alone makes an officer leave the grid, and how soon a real absence is seen; seeded."""

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from math import cos, sin

import pytest

from edge.thinning import Thinner
from hub.anomalies.circumstances import Circumstances, Duties, Shift
from hub.anomalies.finding import instant, microseconds
from hub.anomalies.fixes import METRES_PER_DEGREE, Fix
from hub.anomalies.settings import LOCATION_OUTSIDE, AnomaliesSettings
from hub.anomalies.track import TrackDetectors, TrackState
from protocol.messages import Position
from tests.simulators.tracks import Wander, displaced, standing

START = datetime(2026, 11, 24, 8, tzinfo=UTC)
MIDDLE = (24.57, 118.10)
SHIFT_S = 8 * 3_600
DAYS = 40


class HalfPlane:
    """A grid that ends at MIDDLE and lies to the south."""

    def __contains__(self, grid_id: object) -> bool:
        return True

    def metres_outside(self, grid_id: str, latitude: float, longitude: float) -> float:  # noqa: ARG002 - a protocol
        return max((latitude - MIDDLE[0]) * METRES_PER_DEGREE, 0.0)


AROUND = Circumstances(
    duties=Duties([Shift(microseconds(START), microseconds(START) + SHIFT_S * 1_000_000, "g1")]), grids=HalfPlane()
)


def border_day(seed: int, sigma_m: float, interval_s: float) -> list[Fix]:
    """A day along the border: the officer strolls between 0 and 60 m inside it, a fix in 500 is far off."""
    chance = random.Random(seed)
    wander = Wander(chance, sigma_m)
    fixes = []
    count = round(SHIFT_S / interval_s)
    for number, still in enumerate(
        standing(*MIDDLE, START, count=count, interval_s=interval_s, sigma_m=max(sigma_m, 3.0))
    ):
        seconds = number * interval_s
        inside = 30 + 30 * sin(seconds / 400)
        north, east = wander.after(interval_s)
        far = 800.0 if chance.random() < 1 / 500 else 0.0
        fixes.append(displaced(still, north - inside + far, east + 200 * cos(seconds / 900)))
    return fixes


def thinned(fixes: Sequence[Fix]) -> Iterator[Fix]:
    """Return what the edge sends of these fixes."""
    thinner = Thinner()
    for fix in fixes:
        position = Position(device="d", at=instant(fix.at_us), latitude=fix.latitude, longitude=fix.longitude)
        for sent in thinner.take(position):
            yield Fix(microseconds(sent.at), sent.latitude, sent.longitude, fix.sigma_m)


def exits(fixes: Sequence[Fix]) -> list[tuple[int, int]]:
    findings = TrackDetectors(AnomaliesSettings()).fold(TrackState(), fixes, AROUND)
    told = [each for each in findings if each.type == LOCATION_OUTSIDE and each.ended_us is None]
    return [(each.began_us, each.decided_us) for each in told]


@pytest.mark.parametrize("sigma_m", [4.0, 8.0])
@pytest.mark.parametrize("interval_s", [1.0, 10.0])
@pytest.mark.parametrize("thin", [False, True], ids=["whole", "thinned"])
def test_noise_makes_hardly_anybody_leave(sigma_m: float, interval_s: float, *, thin: bool) -> None:
    days = DAYS if interval_s > 1 else DAYS // 4
    false = 0
    for seed in range(days):
        day = border_day(seed, sigma_m, interval_s)
        false += len(exits(list(thinned(day)) if thin else day))
    assert false / days <= 0.05


@pytest.mark.parametrize("thin", [False, True], ids=["whole", "thinned"])
def test_an_absence_of_twenty_minutes_is_seen_within_ninety_seconds(*, thin: bool) -> None:
    seen = 0
    for seed in range(20):
        day = border_day(seed, 8.0, 10.0)
        start = 800 + seed * 60
        away = [displaced(fix, walked_m(number - start), 0) for number, fix in enumerate(day)]
        gone = day[start + 12].at_us
        found = exits(list(thinned(away)) if thin else away)
        seen += any(day[start].at_us <= decided <= gone + 90_000_000 for _, decided in found)
    assert seen == 20


def walked_m(fixes: int) -> float:
    """Two minutes of walking away, twenty minutes of absence, and back; a fix each 10 s."""
    return max(min(fixes * 13.0, 156.0, (132 - fixes) * 13.0), 0.0)
