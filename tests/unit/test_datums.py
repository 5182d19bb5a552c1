"""WGS-84, GCJ-02 and BD-09: against values that are known, over the whole country, and where nothing is shifted."""

import math
import random

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from protocol.datums import Datum, Place, bd09_of_gcj02, gcj02_offset, is_shifted

SHIFTED = (Datum.GCJ02, Datum.BD09)
METRES_PER_DEGREE = 111_320

# As implementations in several languages agree on it (eviltransform's own test vectors).
KNOWN = [
    ((22.543847, 113.912316), (22.540796131694766, 113.9171764808363)),
    ((31.1774276, 121.5272106), (31.17530398364597, 121.531541859215)),
    ((39.911954, 116.377817), (39.91334545536069, 116.38404722455657)),
]
CITIES = {
    "Suzhou": (31.30, 120.60),
    "Shenzhen Luohu": (22.5333, 114.1181),
    "Shenzhen Shekou": (22.48, 113.91),
    "Zhuhai Gongbei": (22.222, 113.55),
    "Zhuhai Hengqin": (22.13, 113.53),
    "Xiamen": (24.48, 118.09),
    "Xiamen, east": (24.475, 118.19),
    "Haikou": (20.04, 110.34),
    "Sanya": (18.25, 109.50),
    "Sansha": (16.834, 112.338),
    "Shengsi": (30.73, 122.45),
    "Dandong": (40.12, 124.385),
    "Heihe": (50.245, 127.50),
    "Mohe": (52.97, 122.53),
    "Fuyuan": (48.36, 134.30),
    "Kashgar": (39.47, 75.99),
    "Urumqi": (43.82, 87.60),
    "Lhasa": (29.65, 91.13),
    "Ruili": (24.01, 97.85),
}
ELSEWHERE = {
    "Hong Kong": (22.28, 114.158),
    "Hong Kong, Lo Wu": (22.5265, 114.1135),
    "Hong Kong, airport": (22.308, 113.918),
    "Macao": (22.195, 113.54),
    "Macao, Coloane": (22.12, 113.56),
    "Taipei": (25.04, 121.56),
    "Kinmen": (24.44, 118.33),
    "Matsu": (26.16, 119.95),
    "Seoul": (37.56, 126.98),
    "Sinuiju": (40.10, 124.40),
    "Vladivostok": (43.12, 131.89),
    "Blagoveshchensk": (50.29, 127.53),
    "Ulaanbaatar": (47.90, 106.90),
    "Hanoi": (21.03, 105.85),
    "Kathmandu": (27.70, 85.30),
    "Almaty": (43.24, 76.90),
    "London": (51.50, -0.12),
    "North Pole": (90.0, 105.0),
    "off Null Island": (0.0, 0.0),
}
places = st.builds(Place, st.floats(15.0, 54.0), st.floats(73.0, 136.0))


def metres(one: Place, other: Place) -> float:
    north = one.latitude - other.latitude
    east = (one.longitude - other.longitude) * math.cos(math.radians(one.latitude))
    return math.hypot(north, east) * METRES_PER_DEGREE


@pytest.mark.parametrize(("wgs84", "gcj02"), KNOWN)
def test_known_places_are_shifted_as_everybody_shifts_them(
    wgs84: tuple[float, float], gcj02: tuple[float, float]
) -> None:
    there = Place(*wgs84).to(Datum.GCJ02)
    assert (there.latitude, there.longitude) == pytest.approx(gcj02, abs=1e-10)
    assert there.datum is Datum.GCJ02


def test_baidu_shows_a_place_where_others_say_that_it_does() -> None:
    # The example of coordtransform's own manual.
    assert bd09_of_gcj02(39.915, 116.404) == pytest.approx((39.92133699351021, 116.41036949371029), abs=1e-10)


@pytest.mark.parametrize("datum", SHIFTED)
@given(place=places)
@example(place=Place(35.0, 105.0))
@example(place=Place(30.0, 105.0 + 1e-9))
def test_back_is_where_it_began_everywhere_in_the_country(datum: Datum, place: Place) -> None:
    assume(is_shifted(place.latitude, place.longitude))
    there = place.to(datum)
    assert 1 < metres(place, there) < 1_600
    assert metres(place, there.to(Datum.WGS84)) < 0.001


def test_back_is_where_it_began_on_ten_thousand_places() -> None:
    dice = random.Random(808)
    worst, tried = 0.0, 0
    while tried < 10_000:
        place = Place(dice.uniform(17, 54), dice.uniform(73, 135.5))
        if is_shifted(place.latitude, place.longitude):
            tried += 1
            worst = max(worst, metres(place, place.to(Datum.BD09).to(Datum.WGS84)))
    assert worst < 0.001


@pytest.mark.parametrize("datum", [Datum.WGS84, *SHIFTED])
@given(place=places)
def test_converting_twice_changes_nothing(datum: Datum, place: Place) -> None:
    once = place.to(datum)
    assert once.to(datum) == once
    back = once.to(Datum.WGS84)
    assert back.to(Datum.WGS84) == back


def test_from_one_shifted_datum_to_the_other_goes_by_the_true_place() -> None:
    true = Place(*CITIES["Suzhou"])
    gcj02, bd09 = true.to(Datum.GCJ02), true.to(Datum.BD09)
    assert metres(gcj02.to(Datum.BD09), bd09) < 0.001
    assert metres(bd09.to(Datum.GCJ02), gcj02) < 0.001


@pytest.mark.parametrize("city", CITIES)
def test_the_mainland_is_shifted(city: str) -> None:
    assert is_shifted(*CITIES[city])


@pytest.mark.parametrize("datum", SHIFTED)
@pytest.mark.parametrize("city", ELSEWHERE)
def test_elsewhere_every_datum_is_the_same(city: str, datum: Datum) -> None:
    place = Place(*ELSEWHERE[city])
    assert place.to(datum) == Place(place.latitude, place.longitude, datum)
    kept = Place(place.latitude, place.longitude, datum).to(Datum.WGS84)
    # A step from the border a place may be a shifted one of the other side.
    if city != "Hong Kong, Lo Wu":
        assert kept == place


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, 1e300])
def test_what_is_no_place_is_moved_nowhere(number: float) -> None:
    for place in (Place(number, 120.0), Place(31.0, number)):
        moved = place.to(Datum.GCJ02)
        assert repr((moved.latitude, moved.longitude)) == repr((place.latitude, place.longitude))
        assert repr(moved.to(Datum.WGS84)) == repr(place)


def test_the_offset_is_what_is_added() -> None:
    north, east = gcj02_offset(31.30, 120.60)
    there = Place(31.30, 120.60).to(Datum.GCJ02)
    assert (there.latitude, there.longitude) == (31.30 + north, 120.60 + east)
