"""What a track is judged against: who carries the device and where that person is to be, or where it is installed."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Site(NamedTuple):
    """The registered place of an installed device, WGS-84 degrees."""

    latitude: float
    longitude: float


class Shift(NamedTuple):
    """A line of the roster: on duty in one grid, since <= at < until, microseconds since 1970-01-01 UTC."""

    since_us: int
    until_us: int
    grid_id: str


class Grids(Protocol):
    """The live grids, as `hub.grids.index.GridIndex` knows them."""

    def __contains__(self, grid_id: object) -> bool: ...

    def metres_outside(self, grid_id: str, latitude: float, longitude: float) -> float:
        """Return metres to a live grid, 0 inside."""
        ...


class Duties:
    """The shifts of one officer, asked by time."""

    def __init__(self, shifts: Sequence[Shift]) -> None:
        edges = sorted({edge for shift in shifts for edge in (shift.since_us, shift.until_us)})
        self._edges = edges
        self._grids = [
            tuple(sorted({shift.grid_id for shift in shifts if shift.since_us <= edge < shift.until_us}))
            for edge in edges
        ]

    def grids_at(self, at_us: int) -> tuple[str, ...]:
        """Return the grids assigned at a time; empty off duty."""
        index = bisect_right(self._edges, at_us) - 1
        return self._grids[index] if index >= 0 else ()

    def stretches(self) -> list[tuple[int, int]]:
        """Return the unbroken stretches of duty, whatever the grid: (since, until) in order."""
        found: list[tuple[int, int]] = []
        for index, edge in enumerate(self._edges[:-1]):
            if not self._grids[index]:
                continue
            until = self._edges[index + 1]
            if found and found[-1][1] == edge:
                found[-1] = (found[-1][0], until)
            else:
                found.append((edge, until))
        return found


class Circumstances:
    """Everything about one device that its track is judged against."""

    def __init__(self, *, site: Site | None = None, duties: Duties | None = None, grids: Grids | None = None) -> None:
        self.site = site
        self.duties = duties
        self._grids = grids

    def metres_outside(self, at_us: int, latitude: float, longitude: float) -> float | None:
        """Return the distance to the nearest grid assigned at that time; None off duty, or for no officer's device."""
        grids = self._grids
        if self.duties is None or grids is None:
            return None
        nearest: float | None = None
        for grid_id in self.duties.grids_at(at_us):
            if grid_id in grids:
                metres = grids.metres_outside(grid_id, latitude, longitude)
                if nearest is None or metres < nearest:
                    nearest = metres
        return nearest
