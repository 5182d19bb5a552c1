"""Grids over HTTP: import a whole set, read it as GeoJSON, ask where a place is."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts.keyring import Caller
from hub.accounts.scopes import Scope
from hub.api.access import caller_with
from hub.api.idempotency import Creation, creation_with
from hub.api.problems import problems
from hub.api.times import Instant
from hub.grids import importing, repository
from hub.grids.schemas import GridAt, GridFeature, GridFeatures, GridId, GridsImported, GridsIn
from hub.parts import PartsHere

router = APIRouter(tags=["grids"])

LARGEST_IMPORT = 16 * 1024 * 1024


@router.get("/grids")
async def list_grids(
    parts: PartsHere,
    _: Annotated[Caller, caller_with(Scope.DOMAIN_READ)],
    at: Annotated[Instant | None, Query(description="As they were then; as they are when left out")] = None,
) -> GridFeatures:
    """Every grid, as one GeoJSON FeatureCollection."""
    async with parts.database.read() as session:
        rows = await (repository.live(session) if at is None else repository.at(session, at))
        return GridFeatures(features=[GridFeature.of(row) for row in rows])


@router.post("/grids/import", response_model=GridsImported)
async def import_grids(body: GridsIn, creation: Annotated[Creation, creation_with(Scope.DOMAIN_WRITE)]) -> Response:
    """Make these grids the grids of the district, all or none: without overlap, without gap (more than 1 m2)."""
    grids = await importing.checked(body)
    parts = creation.parts

    async def act(session: AsyncSession) -> GridsImported:
        return await importing.take(session, parts.clock, grids)

    try:
        return await creation.once(act, status=200)
    finally:
        parts.grids.forget()


@router.get("/grids/at")
async def grid_at(
    parts: PartsHere,
    _: Annotated[Caller, caller_with(Scope.DOMAIN_READ)],
    lat: Annotated[float, Query(ge=-90, le=90, allow_inf_nan=False)],
    lon: Annotated[float, Query(ge=-180, le=180, allow_inf_nan=False)],
) -> GridAt:
    """Which grid a place is in (WGS-84 degrees)."""
    index = await parts.grids.current()
    grid_id = index.locate(lat, lon)
    if grid_id is None:
        return GridAt(grid=None, name=None, unit=None)
    async with parts.database.read() as session:
        grid = await repository.find(session, grid_id)
    return GridAt(grid=grid.id, name=grid.name, unit=grid.unit_id)


@router.get("/grids/{grid_id}", responses=problems(404))
async def get_grid(
    grid_id: Annotated[GridId, Path()], parts: PartsHere, _: Annotated[Caller, caller_with(Scope.DOMAIN_READ)]
) -> GridFeature:
    """One grid as GeoJSON, also when it was given up."""
    async with parts.database.read() as session:
        return GridFeature.of(await repository.find(session, grid_id))
