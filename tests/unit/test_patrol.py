import asyncio
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

import pytest

from diwang.demo.patrol import Antenna, Step, Walk, Waypoint, epoch, serve, walking
from drivers.gps.languages import Nmea
from protocol.clock import SystemClock
from protocol.messages import Position
from tests.simulators import gps_recordings

START = datetime(2026, 11, 24, 8, tzinfo=UTC)
CORNERS = (Waypoint(24.5700, 118.1000, pause_s=5), Waypoint(24.5700, 118.1003), Waypoint(24.5703, 118.1003))
ROUND_M = 33.4 + 30.3 + 45.1


def steps_apart(walk: Walk, count: int) -> list[float]:
    return [gps_recordings.metres(_fix(one), _fix(after)) for one, after in pairwise(islice(walking(walk), count))]


def _fix(step: Step) -> gps_recordings.Fix:
    return gps_recordings.Fix(step.latitude, step.longitude)


def told(walk: Walk, seconds: int) -> list[Position]:
    antenna = Antenna(walk.seed)
    bursts = [
        epoch(START + timedelta(seconds=second), step, antenna)
        for second, step in enumerate(islice(walking(walk), seconds))
    ]
    positions, counts = gps_recordings.positions_of(Nmea(), bursts, START)
    assert counts["malformed"] == counts["bad_checksum"] == counts["unchecked"] == 0
    return positions


def test_it_walks_at_its_pace_and_rests_at_its_corner() -> None:
    apart = steps_apart(Walk(CORNERS, speed_mps=1.5), 200)
    assert max(apart) <= 1.51
    assert sum(step == 0 for step in apart) >= 8
    assert sum(apart) / ROUND_M > 2


def test_an_excursion_happens_once_and_comes_back() -> None:
    away = (Waypoint(24.5750, 118.1003),)
    steps = list(islice(walking(Walk(CORNERS, speed_mps=5, excursion=away, excursion_after=1)), 1_200))
    outside = [number for number, step in enumerate(steps) if step.latitude > 24.5705]
    assert outside
    assert outside == list(range(outside[0], outside[-1] + 1))
    assert max(step.latitude for step in steps) == pytest.approx(24.5750, abs=5e-5)


def test_the_driver_understands_all_that_it_says_and_it_is_near_the_truth() -> None:
    walk = Walk(CORNERS)
    positions = told(walk, 300)
    assert len(positions) == 300
    errors = [
        gps_recordings.metres(position, _fix(step)) for position, step in zip(positions, walking(walk), strict=False)
    ]
    assert 0.5 < sum(errors) / len(errors) < 6
    assert max(errors) < 15
    assert {(position.quality, position.satellites) for position in positions} == {(1, 12)}
    assert all(position.cn0_spread_db and position.cn0_spread_db > 2 for position in positions)


def test_the_same_seed_says_the_same() -> None:
    assert told(Walk(CORNERS, seed=3), 20) == told(Walk(CORNERS, seed=3), 20)
    assert told(Walk(CORNERS, seed=3), 20) != told(Walk(CORNERS, seed=4), 20)


def test_west_south_and_whole_degrees_are_written_as_nmea_does() -> None:
    [position] = told(Walk((Waypoint(-33.9999999, -70.9999999, pause_s=9),)), 1)
    assert position.latitude == pytest.approx(-34, abs=1e-3)
    assert position.longitude == pytest.approx(-71, abs=1e-3)


@pytest.mark.parametrize(
    ("corners", "speed_mps", "excursion_after"),
    [((), 1.3, 0), ((Waypoint(1, 1), Waypoint(1, 1)), 1.3, 0), (CORNERS, 0.0, 0), (CORNERS, 1.3, 3)],
)
def test_a_round_on_which_time_would_not_pass_is_refused(
    corners: tuple[Waypoint, ...], speed_mps: float, excursion_after: int
) -> None:
    with pytest.raises(ValueError, match="corner"):
        Walk(corners, speed_mps=speed_mps, excursion_after=excursion_after)


async def test_everyone_who_listens_hears_the_same_and_nothing_is_left_behind() -> None:
    before = asyncio.all_tasks()
    async with asyncio.timeout(10), serve(Walk(CORNERS), SystemClock(), pace=100) as port:
        lines = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        heard = [await reader.readuntil(b"$GNRMC") + await reader.readuntil(b"$GNRMC") for reader, _ in lines]
        assert all(b"$GNGGA" in one for one in heard)
    for _, writer in lines:
        writer.close()
    assert asyncio.all_tasks() == before
