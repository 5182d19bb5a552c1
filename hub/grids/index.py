"""Which grid a place is in, and how far outside a grid it is; in memory, for every position that arrives.

    index = await parts.grids.current()
    index.locate(24.57, 118.10)                      # "35021100100101", or None outside the district
    index.metres_outside("35021100100101", 24.58, 118.11)    # 0.0 inside

A place on a border that grids share belongs to the one with the lowest id. A place in a crack between grids, at most
CRACK_M wide, belongs to the nearest: neighbours drawn apart by a rounding leave no place without a grid.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from hub.grids.plane import Plane

Degrees = Sequence[float] | NDArray[Any]

CRACK_M: Final = 1.0
_CRACK_DEG: Final = 2e-5
"""Wider than CRACK_M in both directions up to 60 degrees of latitude; what it finds is measured in metres."""


class GridIndex:
    """The live grids, never changed once built. Geometries are in WGS-84 degrees, x longitude and y latitude."""

    def __init__(self, grids: Iterable[tuple[str, BaseGeometry]]) -> None:
        ordered = sorted(grids, key=lambda grid: grid[0])
        self.ids: Final[tuple[str, ...]] = tuple(grid_id for grid_id, _ in ordered)
        shapes = [geometry for _, geometry in ordered]
        shapely.prepare(shapes)
        self._tree = shapely.STRtree(shapes)
        self._flat: dict[str, tuple[Plane, BaseGeometry]] = {}
        for grid_id, geometry in ordered:
            plane = Plane.around(geometry)
            shape = plane.flat(geometry)
            shapely.prepare(shape)
            self._flat[grid_id] = (plane, shape)

    def __contains__(self, grid_id: object) -> bool:
        return grid_id in self._flat

    def __len__(self) -> int:
        return len(self.ids)

    def locate(self, latitude: float, longitude: float) -> str | None:
        """Return the grid of a place, or None when it is in none."""
        place = shapely.Point(longitude, latitude)
        found = self._tree.query(place, "intersects")
        if len(found):
            return self.ids[int(found.min())]
        for near in self._tree.query_nearest(place, max_distance=_CRACK_DEG):
            grid_id = self.ids[int(near)]
            if self.metres_outside(grid_id, latitude, longitude) <= CRACK_M:
                return grid_id
        return None

    def locate_many(self, latitudes: Degrees, longitudes: Degrees) -> list[str | None]:
        """Return the grid of each place, as `locate` does."""
        south_north, west_east = np.asarray(latitudes, float), np.asarray(longitudes, float)
        where = np.full(len(south_north), len(self.ids))
        places = np.asarray(shapely.points(west_east, south_north))
        place, grid = self._tree.query(places, "intersects")
        np.minimum.at(where, place, grid)
        ids = (*self.ids, None)
        found = [ids[each] for each in where.tolist()]
        outside = np.flatnonzero(where == len(self.ids))
        beside, _ = self._tree.query_nearest(places[outside], max_distance=_CRACK_DEG)
        for missed in np.unique(outside[beside]).tolist():
            found[missed] = self.locate(float(south_north[missed]), float(west_east[missed]))
        return found

    def metres_outside(self, grid_id: str, latitude: float, longitude: float) -> float:
        """Return the distance to the grid, 0.0 inside it or on its border. Raises KeyError when it is not live."""
        plane, shape = self._flat[grid_id]
        x, y = plane.xy(latitude, longitude)
        # Most positions are inside, and asking a prepared shape for that takes a third of the time.
        return 0.0 if shapely.intersects_xy(shape, x, y) else float(shapely.distance(shape, shapely.Point(x, y)))

    def metres_outside_many(self, grid_id: str, latitudes: Degrees, longitudes: Degrees) -> NDArray[np.float64]:
        """Return the distance of each place, as `metres_outside` does."""
        plane, shape = self._flat[grid_id]
        x, y = plane.xy_many(np.asarray(latitudes, float), np.asarray(longitudes, float))
        return np.asarray(shapely.distance(shape, shapely.points(x, y)), np.float64)
