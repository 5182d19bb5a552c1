"""Areas, distances and places: against mathematics of their own, and against plain shapely."""

import math
from itertools import pairwise

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from diwang.demo import district
from diwang.demo.patrol import walking
from hub.grids import checking
from hub.grids.index import CRACK_M, GridIndex
from hub.grids.plane import Plane, area_m2
from protocol.errors import RefusedRequestError

SHAPES = {each["properties"]["id"]: shapely.geometry.shape(each["geometry"]) for each in district.grids()["features"]}
INDEX = GridIndex(SHAPES.items())

A_M, E2 = 6_378_137.0, (2 - 1 / 298.257223563) / 298.257223563

latitudes = st.floats(24.555, 24.585)
longitudes = st.floats(118.080, 118.118)


def radii_m(latitude: float) -> tuple[float, float]:
    """Radii of curvature of the ellipsoid, along the meridian and across it."""
    w = 1 - E2 * math.sin(math.radians(latitude)) ** 2
    return A_M * (1 - E2) / w**1.5, A_M / math.sqrt(w)


def square(west: float, south: float, east: float, north: float) -> shapely.Polygon:
    return shapely.box(west, south, east, north)


@pytest.mark.parametrize("south", [0.0, 24.5, 39.9, 53.0])
def test_an_area_is_what_integrating_the_ellipsoid_gives(south: float) -> None:
    steps = 20_000
    exact = 0.0
    for step in range(steps):
        meridian, across = radii_m(south + (step + 0.5) * 0.1 / steps)
        latitude = math.radians(south + (step + 0.5) * 0.1 / steps)
        exact += meridian * math.radians(0.1 / steps) * across * math.cos(latitude) * math.radians(0.2)
    assert area_m2(square(118, south, 118.2, south + 0.1)) == pytest.approx(exact, rel=1e-9)


@given(latitude=st.floats(-60, 60), course=st.floats(0, 2 * math.pi), length_m=st.floats(1, 500))
def test_a_length_near_the_middle_is_true(latitude: float, course: float, length_m: float) -> None:
    meridian, across = radii_m(latitude)
    north = math.degrees(length_m * math.cos(course) / meridian)
    east = math.degrees(length_m * math.sin(course) / (across * math.cos(math.radians(latitude))))
    x, y = Plane(latitude, 118.0).xy(latitude + north, 118.0 + east)
    assert math.hypot(x, y) == pytest.approx(length_m, rel=3e-4)


def test_the_error_of_a_length_grows_as_stated() -> None:
    plane = Plane(24.57, 118.1)
    meridian, _ = radii_m(24.67)
    (_, y1), (_, y2) = plane.xy(24.67, 118.1), plane.xy(24.671, 118.1)
    stated = math.tan(math.radians(24.57)) * 0.1 * math.pi / 180
    assert (y2 - y1) / math.radians(0.001) / meridian == pytest.approx(1 - stated, abs=5e-5)


def test_a_cut_edge_stays_where_it_was() -> None:
    """Straight in degrees, so cut points lie between their ends, and the flat shape has them."""
    flat = Plane.around(square(118, 24.5, 118.02, 24.52)).flat(square(118, 24.5, 118.02, 24.52))
    assert shapely.get_num_coordinates(flat) > 5


@given(latitude=latitudes, longitude=longitudes)
@settings(max_examples=300)
def test_a_place_is_in_the_first_grid_that_covers_it(latitude: float, longitude: float) -> None:
    covering = [grid for grid, shape in SHAPES.items() if shape.covers(shapely.Point(longitude, latitude))]
    found = INDEX.locate(latitude, longitude)
    if covering:
        assert found == min(covering)
    elif found is not None:
        assert INDEX.metres_outside(found, latitude, longitude) <= CRACK_M
    assert INDEX.locate_many([latitude], [longitude]) == [found]


@given(latitude=latitudes, longitude=longitudes, grid=st.sampled_from(sorted(SHAPES)))
@settings(max_examples=300)
def test_metres_outside_are_zero_inside_and_true_outside(latitude: float, longitude: float, grid: str) -> None:
    away = INDEX.metres_outside(grid, latitude, longitude)
    shape = SHAPES[grid]
    place = shapely.Point(longitude, latitude)
    if shape.contains(place):
        assert away == 0
    # The nearest point in metres, by scaling degrees at the place itself.
    meridian, across = radii_m(latitude)
    scale = np.radians([across * math.cos(math.radians(latitude)), meridian])
    near = shapely.transform(shape, lambda xy: (xy - [longitude, latitude]) * scale)
    assert away == pytest.approx(near.distance(shapely.Point(0, 0)), rel=2e-3, abs=0.05)
    assert INDEX.metres_outside_many(grid, [latitude], [longitude]).tolist() == pytest.approx([away], abs=1e-9)


def test_a_shared_border_belongs_to_the_lower_id_whatever_the_order() -> None:
    west, east = square(118.0, 24.5, 118.1, 24.6), square(118.1, 24.5, 118.2, 24.6)
    for grids in ([("b", east), ("a", west)], [("a", west), ("b", east)]):
        index = GridIndex(grids)
        assert index.locate(24.55, 118.1) == "a"
        assert index.locate_many([24.55, 24.6, 24.5], [118.1, 118.1, 118.15]) == ["a", "a", "b"]


def test_a_crack_between_neighbours_leaves_no_place_without_a_grid() -> None:
    index = GridIndex([("a", square(118.0, 24.5, 118.1, 24.6)), ("b", square(118.100005, 24.5, 118.2, 24.6))])
    assert index.locate(24.55, 118.100001) == "a"
    assert index.locate(24.55, 118.100004) == "b"
    assert index.locate(24.55, 118.21) is None
    assert index.locate(24.600013, 118.05) is None


def test_no_grid_is_everywhere_nowhere() -> None:
    index = GridIndex(())
    assert index.locate(24.5, 118.1) is None
    assert index.locate_many([24.5, 0.0], [118.1, 0.0]) == [None, None]
    assert "a" not in index


def test_a_grid_that_is_not_live_has_no_distance() -> None:
    with pytest.raises(KeyError):
        INDEX.metres_outside("elsewhere", 24.5, 118.1)


def test_the_sample_patrol_leaves_its_grid_for_minutes() -> None:
    steps = walking(district.PATROL)
    away = [
        INDEX.metres_outside(district.PATROLLED, step.latitude, step.longitude)
        for _, step in zip(range(900), steps, strict=False)
    ]
    assert next(second for second, metres in enumerate(away) if metres > 30) < 40
    assert sum(metres > 150 for metres in away) > 180
    assert away[-1] == 0
    assert max(abs(b - a) for a, b in pairwise(away)) < 10


def test_every_sample_shop_is_in_its_own_grid() -> None:
    shops = district.subjects()
    assert len({shop["name"] for shop in shops}) == 40
    found = [INDEX.locate(shop["latitude"], shop["longitude"]) for shop in shops]
    assert None not in found
    assert set(found) == set(SHAPES)


def checked(*shapes: shapely.Polygon, whole: shapely.Polygon | None = None) -> None:
    grids = {f"g{number}": shape for number, shape in enumerate(shapes)}
    checking.check_overlaps(grids)
    checking.check_gaps(grids, whole)


METRE = 1 / 111_000


@given(shift_m=st.floats(-5, 5))
def test_one_square_metre_of_overlap_or_gap_is_the_limit(shift_m: float) -> None:
    """Two strips, 10 m long where they meet, inside a frame that makes the gap a hole."""
    long = 10 * METRE
    left = square(118.0, 24.5, 118.0 + long, 24.5 + long)
    right = square(118.0 + long - shift_m * METRE, 24.5, 118.0 + 3 * long, 24.5 + long)
    frame = square(117.999, 24.499, 118.001, 24.501).difference(square(118.0, 24.5, 118.0 + 3 * long, 24.5 + long))
    assert isinstance(frame, shapely.Polygon)
    shared = area_m2(left.intersection(right))
    hole = area_m2(frame.union(left).union(right).envelope) - area_m2(frame.union(left).union(right))
    expected = "grids.overlap" if shared > 1 else "grids.gap" if hole > 1 else None
    try:
        checked(left, right, frame)
        refused = None
    except RefusedRequestError as error:
        refused = error.rule
    assert refused == expected


def test_a_gap_at_the_edge_shows_only_against_the_district() -> None:
    left, right = square(118.0, 24.5, 118.1, 24.6), square(118.1, 24.5, 118.2, 24.599)
    checked(left, right)
    with pytest.raises(RefusedRequestError, match="g1") as caught:
        checked(left, right, whole=square(118.0, 24.5, 118.2, 24.6))
    assert caught.value.rule == "grids.gap"


def test_the_worst_faults_are_named_first() -> None:
    squares = [square(118 + i * 0.1, 24.5, 118.1001 + i * 0.1 + i * 1e-4, 24.6) for i in range(8)]
    with pytest.raises(RefusedRequestError, match=r"g6 and g7 by .*; and 2 more") as caught:
        checked(*squares)
    assert caught.value.rule == "grids.overlap"


RING = [[118.0, 24.5], [118.1, 24.5], [118.1, 24.6], [118.0, 24.5]]


@pytest.mark.parametrize(
    ("rule", "coordinates"),
    [
        ("grids.bad_ring", [RING[:3]]),
        ("grids.bad_ring", [[*RING[:3], [118.0, 24.6]]]),
        ("grids.bad_ring", [[RING[0], [118.1], *RING[2:]]]),
        ("grids.bad_ring", [[RING[0], [118.1, "24"], *RING[2:]]]),
        ("grids.bad_ring", [[RING[0], [118.1, float("nan")], *RING[2:]]]),
        ("grids.bad_ring", ["ring"]),
        ("grids.bad_ring", []),
        ("grids.wrong_datum", [[[y, x] for x, y in RING]]),
        ("grids.wrong_datum", [[[43.8, 87.6], [43.9, 87.6], [43.9, 87.7], [43.8, 87.6]]]),
        ("grids.wrong_datum", [[[x + 100, y] for x, y in RING]]),
        ("grids.wrong_datum", [[[487_000.0, 2_717_000.0], [487_100.0, 2_717_000.0], [0, 0], [487_000.0, 2_717_000.0]]]),
        ("grids.invalid_geometry", [[[0, 0], [2, 2], [2, 0], [0, 2], [0, 0]]]),
        ("grids.invalid_geometry", [[[0, 0], [1, 1], [2, 2], [0, 0]]]),
    ],
)
def test_what_is_no_polygon_on_the_earth_is_refused(rule: str, coordinates: list[object]) -> None:
    with pytest.raises(RefusedRequestError, match="35021100100101") as caught:
        checking.parsed("35021100100101", {"type": "Polygon", "coordinates": coordinates})
    assert (caught.value.rule, caught.value.status) == (rule, 422)


def test_islands_are_one_grid() -> None:
    two = {"type": "MultiPolygon", "coordinates": [[RING], [[[x + 1, y] for x, y in RING]]]}
    assert checking.parsed("g", two).geom_type == "MultiPolygon"
