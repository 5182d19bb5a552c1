"""Importing the grids of a district, all or none."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from shapely.geometry.base import BaseGeometry
from sqlalchemy.ext.asyncio import AsyncSession

from hub.grids import checking, repository
from hub.grids.index import GridIndex
from hub.grids.model import Grid
from hub.grids.schemas import GridFeatureIn, GridsImported, GridsIn
from hub.subjects import placing
from protocol.clock import Clock
from protocol.errors import RefusedRequestError

_WGS_84 = ("crs84", "epsg:4326", "epsg::4326")


@dataclass(frozen=True, slots=True)
class CheckedGrids:
    """A set of grids that fit together."""

    features: dict[str, GridFeatureIn]
    shapes: dict[str, BaseGeometry]


async def checked(grids: GridsIn) -> CheckedGrids:
    """Return the grids of an import when they are a whole set.

    Raises RefusedRequestError (422): grids.wrong_datum, grids.duplicate_id, and the rules of hub.grids.checking.
    """
    return await asyncio.to_thread(_checked, grids)


def _checked(grids: GridsIn) -> CheckedGrids:
    if grids.crs is not None and not grids.crs.properties.name.casefold().endswith(_WGS_84):
        raise RefusedRequestError("grids.wrong_datum", f"send WGS-84, not {grids.crs.properties.name}", status=422)
    features = {feature.properties.id: feature for feature in grids.features}
    if len(features) < len(grids.features):
        times = Counter(feature.properties.id for feature in grids.features)
        twice = sorted(grid_id for grid_id, count in times.items() if count > 1)
        raise RefusedRequestError("grids.duplicate_id", f"given twice: {', '.join(twice[:5])}", status=422)
    shapes = {grid_id: checking.parsed(grid_id, each.geometry.model_dump()) for grid_id, each in features.items()}
    district = checking.parsed("district", grids.district.model_dump()) if grids.district else None
    checking.check_overlaps(shapes)
    checking.check_gaps(shapes, district)
    return CheckedGrids(features, shapes)


async def take(session: AsyncSession, clock: Clock, grids: CheckedGrids) -> GridsImported:
    """Make a checked set the live grids, and put every subject into the grid where it now lies.

    What did not change keeps its version. The caller commits, then lets LiveGrids forget. Raises RefusedRequestError
    (422) when a grid names a unit that does not exist.
    """
    units = {each.properties.unit for each in grids.features.values() if each.properties.unit}
    if missing := await repository.unknown_units(session, units):
        raise RefusedRequestError("grids.unknown_unit", f"no units {', '.join(sorted(missing))}", status=422)
    known = await repository.hold(session)
    now = clock.now()
    changes: dict[str, list[str]] = {"added": [], "changed": [], "unchanged": []}
    for grid_id, feature in grids.features.items():
        change = await _put(session, known.get(grid_id), feature, now)
        changes[change].append(grid_id)
    gone = [grid for grid in known.values() if grid.valid_to is None and grid.id not in grids.features]
    for grid in gone:
        await repository.end(session, grid, now)
    return GridsImported(
        added=changes["added"],
        changed=changes["changed"],
        given_up=sorted(grid.id for grid in gone),
        unchanged=len(changes["unchanged"]),
        subjects_moved=await placing.place_all(session, clock, GridIndex(grids.shapes.items())),
    )


async def _put(
    session: AsyncSession, grid: Grid | None, feature: GridFeatureIn, now: datetime
) -> Literal["added", "changed", "unchanged"]:
    lives = grid is not None and grid.valid_to is None
    wanted = _columns(feature)
    if grid is not None and lives and {name: getattr(grid, name) for name in wanted} == wanted:
        return "unchanged"
    if grid is not None and lives:
        await repository.end_version(session, grid, now)
    made = grid or Grid(id=feature.properties.id, version=0)
    for name, value in wanted.items():
        setattr(made, name, value)
    made.version, made.valid_from, made.valid_to = made.version + 1, now, None
    await repository.begin_version(session, made)
    return "changed" if lives else "added"


def _columns(feature: GridFeatureIn) -> dict[str, Any]:
    return {
        "name": feature.properties.name,
        "unit_id": feature.properties.unit,
        "geometry": feature.geometry.model_dump(),
    }
