"""All SQL of grids."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import func, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.grids.model import Grid, GridVersion
from hub.organisation.model import OrgUnit
from hub.storage.upsert import is_postgresql
from protocol.errors import RefusedRequestError


async def serial(session: AsyncSession) -> int:
    """Return a number that grows whenever a grid is added, changed or given up."""
    return await session.scalar(select(func.coalesce(func.sum(Grid.version), 0))) or 0


async def live(session: AsyncSession) -> list[Grid]:
    """Return the grids that are, by id."""
    return list(await session.scalars(select(Grid).where(Grid.valid_to.is_(None)).order_by(Grid.id)))


async def hold(session: AsyncSession) -> dict[str, Grid]:
    """Return every grid that ever was, by id; nobody else changes grids until the transaction ends."""
    if is_postgresql(session):
        await session.execute(text("LOCK TABLE grid IN SHARE ROW EXCLUSIVE MODE"))
    return {grid.id: grid for grid in await session.scalars(select(Grid))}


async def find(session: AsyncSession, grid_id: str) -> Grid:
    """Return a grid, given up or not. Raises RefusedRequestError (404)."""
    grid = await session.get(Grid, grid_id)
    if grid is None:
        raise RefusedRequestError("grids.unknown", f"no grid {grid_id!r}", status=404)
    return grid


async def at(session: AsyncSession, instant: datetime) -> list[GridVersion]:
    """Return the grids as they were at an instant, by id."""
    began = select(GridVersion).where(GridVersion.valid_from <= instant)
    lasting = began.where(or_(GridVersion.valid_to.is_(None), GridVersion.valid_to > instant))
    return list(await session.scalars(lasting.order_by(GridVersion.grid_id)))


async def unknown_units(session: AsyncSession, unit_ids: Iterable[str]) -> set[str]:
    """Return which of these units do not exist."""
    asked = set(unit_ids)
    return asked - set(await session.scalars(select(OrgUnit.id).where(OrgUnit.id.in_(asked))))


async def end_version(session: AsyncSession, grid: Grid, now: datetime) -> None:
    """Close the version of a grid that is."""
    lasting = update(GridVersion).where(GridVersion.grid_id == grid.id, GridVersion.valid_to.is_(None))
    await session.execute(lasting.values(valid_to=now), execution_options={"synchronize_session": False})


async def end(session: AsyncSession, grid: Grid, now: datetime) -> None:
    """Give a grid up. It stays for what refers to it."""
    await end_version(session, grid, now)
    grid.version, grid.valid_to = grid.version + 1, now
    await session.flush()


async def begin_version(session: AsyncSession, grid: Grid) -> None:
    """Write a grid as it now is, and the version that begins with it."""
    session.add(grid)
    await session.flush()
    session.add(
        GridVersion(
            grid_id=grid.id,
            version=grid.version,
            name=grid.name,
            unit_id=grid.unit_id,
            geometry=grid.geometry,
            valid_from=grid.valid_from,
        )
    )
    await session.flush()
