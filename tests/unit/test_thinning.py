import math
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.gps.epochs import Grouper
from drivers.gps.languages import Nmea
from drivers.gps.positions import Positions
from edge.config import Positions as Configured
from edge.thinning import Thinner, Thinning
from protocol.messages import Position

SHARED = Path(__file__).parents[3] / "shared"
WALKS = sorted((SHARED / "data/gps/gpx").glob("*.gpx"))
DRIVE = SHARED / "data/gps/drive/MTV.Local1.ublox-F9K.20200206-181434.nmea"
START = datetime(2026, 11, 24, 8, tzinfo=UTC)
METRES_PER_DEGREE = 111_195.0
DAY_S = 86_400


def fix(second: float, north_m: float = 0.0, east_m: float = 0.0, **fields: float) -> Position:
    latitude = 24.57 + north_m / METRES_PER_DEGREE
    longitude = 118.10 + east_m / (METRES_PER_DEGREE * math.cos(math.radians(24.57)))
    at = START + timedelta(seconds=second)
    return msgspec.structs.replace(Position(device="van-7", at=at, latitude=latitude, longitude=longitude), **fields)


def thinned(fixes: Iterable[Position], settings: Thinning | None = None) -> list[Position]:
    thinner = Thinner(settings)
    return [sent for taken in fixes for sent in thinner.take(taken)] + list(thinner.flush())


def haversine_m(one: tuple[float, float], other: tuple[float, float]) -> float:
    (lat1, lon1), (lat2, lon2) = ([math.radians(angle) for angle in place] for place in (one, other))
    half = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * 6_371_008.8 * math.asin(math.sqrt(half))


def errors_m(full: Sequence[Position], sent: Sequence[Position]) -> Iterator[float]:
    """How far the straight line in time between two sent fixes passes from each fix of the full track."""
    lines = iter(pairwise(sent))
    start, end = next(lines)
    for one in full:
        while one.at > end.at:
            start, end = next(lines)
        share = (one.at - start.at) / (end.at - start.at)
        place = (
            start.latitude + share * (end.latitude - start.latitude),
            start.longitude + share * (end.longitude - start.longitude),
        )
        yield haversine_m(place, (one.latitude, one.longitude))


def check(full: Sequence[Position], settings: Thinning | None = None) -> list[Position]:
    """Thin a track whose time runs forward, and check everything that is promised of the result."""
    promised = settings or Thinning()
    sent = thinned(full, settings)
    assert set(sent) <= set(full)
    assert sent == sorted(sent, key=lambda position: position.at)
    assert (sent[0], sent[-1]) == (full[0], full[-1])
    if len(sent) > 1:
        assert max(errors_m(full, sent)) <= promised.dead_band_m * 1.0001
    steps = {one.at: after.at - one.at for one, after in pairwise(full)}
    for one, after in pairwise(sent):
        longest_step = max(step for at, step in steps.items() if one.at <= at < after.at)
        assert after.at - one.at <= timedelta(seconds=promised.max_interval_s) + longest_step
    return sent


def gpx_track(path: Path) -> list[Position]:
    """The points of a GPX file; a file whose points carry no usable time is walked at 1.5 m/s."""
    text = path.read_text(encoding="utf-8")
    points = [
        (float(latitude), float(longitude), time)
        for latitude, longitude, body in re.findall(
            r'<(?:trkpt|rtept)\s+lat="([^"]+)"\s+lon="([^"]+)"\s*>(.*?)</(?:trkpt|rtept)>', text, flags=re.DOTALL
        )
        for time in [next(iter(re.findall(r"<time>([^<]+)</time>", body)), None)]
    ]
    track: list[Position] = []
    for latitude, longitude, time in points:
        if time is not None:
            at = datetime.fromisoformat(time.strip()).astimezone(UTC)
        elif not track:
            at = START
        else:
            walked = haversine_m((track[-1].latitude, track[-1].longitude), (latitude, longitude))
            at = track[-1].at + timedelta(seconds=max(1.0, walked / 1.5))
        if not track or at > track[-1].at:
            track.append(Position(device="van-7", at=at, latitude=latitude, longitude=longitude))
    return track


@pytest.mark.parametrize("path", WALKS, ids=lambda path: path.stem)
def test_the_bound_holds_on_real_walks(path: Path) -> None:
    track = gpx_track(path)
    assert len(track) > 1
    check(track)
    check(track, Thinning(dead_band_m=3, turn_deg=180, moving_interval_s=60, max_interval_s=600))


def densified(track: Sequence[Position]) -> list[Position]:
    """The same walk as a receiver at 1 Hz would have told it."""
    dense = []
    for one, after in pairwise(track):
        seconds = (after.at - one.at).total_seconds()
        for second in range(min(int(seconds), 120)):
            share = second / seconds
            dense.append(
                msgspec.structs.replace(
                    one,
                    at=one.at + timedelta(seconds=second),
                    latitude=one.latitude + share * (after.latitude - one.latitude),
                    longitude=one.longitude + share * (after.longitude - one.longitude),
                )
            )
    return [*dense, track[-1]]


@pytest.mark.parametrize("path", WALKS[:3], ids=lambda path: path.stem)
def test_a_walk_told_every_second_is_thinned_to_a_fifth(path: Path) -> None:
    dense = densified(gpx_track(path))
    sent = check(dense)
    assert len(sent) < 0.25 * len(dense)


def drive() -> list[Position]:
    positions, grouper, language = Positions("van-7"), Grouper(), Nmea()
    ended = [grouper.add(*sentence) for sentence in language.feed(DRIVE.read_bytes())]
    box = datetime(2020, 2, 7, tzinfo=UTC)
    return [fix for epoch in [*ended, grouper.close()] if epoch and (fix := positions.of(epoch, box))]


def test_the_bound_holds_on_a_real_drive() -> None:
    full = drive()
    assert len(full) == 1_654
    sent = check(full)
    assert len(sent) < 0.4 * len(full)


@settings(max_examples=150, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.floats(0.1, 200), st.floats(-60, 60), st.floats(-60, 60), st.floats(0, 360), st.floats(0, 40)),
        min_size=2,
        max_size=80,
    ),
    dead_band_m=st.floats(1, 40),
    moving_interval_s=st.floats(1, 60),
    max_interval_s=st.floats(5, 300),
)
def test_the_bound_holds_on_any_track(
    steps: list[tuple[float, float, float, float, float]],
    dead_band_m: float,
    moving_interval_s: float,
    max_interval_s: float,
) -> None:
    second = north = east = 0.0
    track = []
    for pause, to_north, to_east, course, speed in steps:
        second, north, east = second + pause, north + to_north, east + to_east
        track.append(fix(second, north, east, course_deg=course, speed_mps=speed))
    check(track, Thinning(dead_band_m=dead_band_m, moving_interval_s=moving_interval_s, max_interval_s=max_interval_s))


def resting(sigma_m: float, time_constant_s: float, seed: int) -> Iterator[Position]:
    """A day of a receiver at rest: an error that drifts, and half a metre of white noise."""
    noise = random.Random(seed)
    keep = math.exp(-1 / time_constant_s)
    fresh = sigma_m * math.sqrt(1 - keep * keep)
    north = east = 0.0
    for second in range(DAY_S):
        north, east = keep * north + noise.gauss(0, fresh), keep * east + noise.gauss(0, fresh)
        yield fix(second, north + noise.gauss(0, 0.5), east + noise.gauss(0, 0.5), course_deg=noise.uniform(0, 360))


@pytest.mark.parametrize(("sigma_m", "time_constant_s"), [(0.0, 60.0), (4.0, 120.0), (6.0, 300.0)])
def test_a_unit_at_rest_sends_little_more_than_its_heartbeat(sigma_m: float, time_constant_s: float) -> None:
    sent = thinned(resting(sigma_m, time_constant_s, seed=7))
    assert DAY_S / 60 - 1 <= len(sent) < 1_500


def test_a_unit_that_stands_still_to_the_digit_sends_its_heartbeat() -> None:
    sent = thinned(fix(second) for second in range(3_601))
    assert [one.at for one in sent] == [START + timedelta(minutes=minute) for minute in range(61)]


def test_a_unit_that_walks_sends_six_fixes_within_a_minute() -> None:
    sent = thinned(fix(second, north_m=1.3 * second) for second in range(600))
    assert all(late.at - early.at <= timedelta(seconds=60) for early, late in zip(sent, sent[5:], strict=False))
    assert len(sent) < 90


def test_a_corner_is_sent_although_it_is_not_due() -> None:
    legs = [fix(second, north_m=8 * second, course_deg=0, speed_mps=8) for second in range(3)]
    turned = fix(3, north_m=16, east_m=8, course_deg=90, speed_mps=8)
    assert turned in thinned([*legs, turned, fix(4, north_m=16, east_m=16, course_deg=90, speed_mps=8)])
    slow = [fix(second, course_deg=90.0 * second, speed_mps=0.3) for second in range(4)]
    assert thinned(slow) == [slow[0], slow[-1]]


def test_both_ends_of_a_silence_are_sent() -> None:
    track = [fix(0), fix(1), fix(2), fix(500), fix(501), fix(502)]
    assert thinned(track) == [track[0], track[2], track[3], track[5]]


def test_a_new_doubt_of_the_driver_is_sent_at_once() -> None:
    doubtful = msgspec.structs.replace(fix(2), flags=("date_rollover",))
    assert thinned([fix(0), fix(1), doubtful, fix(3)]) == [fix(0), doubtful, fix(3)]


def test_time_that_goes_back_begins_a_new_stretch_and_loses_nothing() -> None:
    track = [fix(100), fix(101), fix(102), fix(50), fix(51), fix(52)]
    assert thinned(track) == [track[0], track[2], track[3], track[5]]


def test_the_date_line_is_no_jump_around_the_world() -> None:
    west, east = fix(0), fix(1)
    track = [
        msgspec.structs.replace(west, longitude=179.99999),
        msgspec.structs.replace(east, longitude=-179.99999),
        msgspec.structs.replace(fix(2), longitude=-179.99998),
    ]
    assert thinned(track) == [track[0], track[2]]


def test_flush_says_the_latest_once() -> None:
    thinner = Thinner()
    assert thinner.flush() == ()
    assert thinner.take(fix(0)) == (fix(0),)
    assert thinner.take(fix(1)) == ()
    assert thinner.flush() == (fix(1),)
    assert thinner.flush() == ()


def test_what_the_configuration_leaves_out_is_what_is_stated_here() -> None:
    assert Configured().thinning() == Thinning()
