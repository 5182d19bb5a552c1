"""Whether a set of grids is one: whole polygons on the earth, side by side, without overlap and without gap.

Every check raises RefusedRequestError (422) that names its rule and the grids at fault.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
import shapely
from shapely.errors import ShapelyError
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry
from shapely.validation import explain_validity

from hub.grids.plane import area_m2
from protocol.errors import RefusedRequestError

TOLERANCE_M2: Final = 1.0

_CHINA: Final = ((73.0, 3.0), (136.0, 54.0))
_EAST: Final = 180
_NORTH: Final = 90
_NAMED: Final = 5
_RING: Final = 4


def parsed(name: str, geometry: dict[str, Any]) -> BaseGeometry:
    """Return a GeoJSON Polygon or MultiPolygon as a shape in degrees, or refuse it under its name.

    Rules: grids.bad_ring, grids.wrong_datum, grids.invalid_geometry.
    """
    coordinates = geometry["coordinates"]
    for polygon in [coordinates] if geometry["type"] == "Polygon" else coordinates:
        if not polygon:
            raise _refused("bad_ring", f"{name}: a polygon without a ring")
        for ring in polygon:
            _check_ring(name, ring)
    try:
        made: BaseGeometry = shape(geometry)
    except (ShapelyError, ValueError, TypeError) as error:
        raise _refused("invalid_geometry", f"{name}: {error}") from error
    if made.is_empty or not made.is_valid:
        raise _refused("invalid_geometry", f"{name}: {explain_validity(made) if not made.is_empty else 'empty'}")
    return made


def check_overlaps(grids: Mapping[str, BaseGeometry]) -> None:
    """Refuse grids of which two share more than TOLERANCE_M2. Rule grids.overlap."""
    ids, shapes = list(grids), np.array(list(grids.values()), dtype=object)
    one, other = shapely.STRtree(shapes).query(shapes, "intersects")
    one, other = one[one < other], other[one < other]
    shared = shapely.intersection(shapes[one], shapes[other])
    faults = [
        (area, f"{ids[one[pair]]} and {ids[other[pair]]} by {area:.1f} m2")
        for pair in np.flatnonzero(shapely.area(shared) > 0).tolist()
        if (area := area_m2(shared[pair])) > TOLERANCE_M2
    ]
    if faults:
        raise _refused("overlap", f"grids overlap: {_worst(faults)}")


def check_gaps(grids: Mapping[str, BaseGeometry], district: BaseGeometry | None) -> None:
    """Refuse grids that leave more than TOLERANCE_M2 uncovered. Rule grids.gap.

    What is to be covered is `district`, or, where none is given, the outline of all grids together.
    """
    union = shapely.union_all(list(grids.values()))
    missing = shapely.get_parts(shapely.difference(district, union)) if district is not None else _holes(union)
    tree, ids = shapely.STRtree(list(grids.values())), list(grids)
    faults = []
    for hole in missing:
        if hole.area > 0 and (area := area_m2(hole)) > TOLERANCE_M2:
            beside = sorted(ids[near] for near in tree.query(hole, "intersects"))
            place = hole.representative_point()
            near = f" beside {', '.join(beside[:_NAMED])}" if beside else ""
            faults.append((area, f"{area:.1f} m2 at {place.y:.6f}, {place.x:.6f}{near}"))
    if faults:
        raise _refused("gap", f"grids leave gaps: {_worst(faults)}")


def _check_ring(name: str, ring: object) -> None:
    if not isinstance(ring, list) or len(ring) < _RING or ring[0] != ring[-1]:
        raise _refused("bad_ring", f"{name}: a ring has at least four positions, and ends where it starts")
    for position in ring:
        if not isinstance(position, list) or len(position) not in {2, 3} or not all(map(_is_number, position)):
            raise _refused("bad_ring", f"{name}: {position!r:.100} is not a position [longitude, latitude]")
        longitude, latitude = position[:2]
        if abs(longitude) > _EAST or abs(latitude) > _NORTH:
            detail = f"{name}: {longitude}, {latitude} is no longitude and latitude in degrees of WGS-84"
            raise _refused("wrong_datum", detail)
        if _in_china(latitude, longitude) and not _in_china(longitude, latitude):
            detail = f"{name}: {longitude}, {latitude} seems to have latitude first; GeoJSON has longitude first"
            raise _refused("wrong_datum", detail)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")


def _in_china(longitude: float, latitude: float) -> bool:
    (west, south), (east, north) = _CHINA
    return west <= longitude <= east and south <= latitude <= north


def _holes(union: BaseGeometry) -> list[BaseGeometry]:
    parts = shapely.get_parts(union)
    return [shapely.Polygon(ring) for part in parts for ring in part.interiors]


def _worst(faults: Iterable[tuple[float, str]]) -> str:
    ordered = [text for _, text in sorted(faults, reverse=True)]
    more = len(ordered) - _NAMED
    return "; ".join(ordered[:_NAMED]) + (f"; and {more} more" if more > 0 else "")


def _refused(rule: str, detail: str) -> RefusedRequestError:
    return RefusedRequestError(f"grids.{rule}", detail, status=422)
