"""All SQL of the organisation: units, officers, duties."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import Select, case, exists, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.grids.model import Grid
from hub.organisation.model import Duty, Officer, OrgUnit
from hub.storage.upsert import insert_new
from protocol.errors import RefusedRequestError

_HOLDER_FIRST: Final = case((Duty.role == "holder", 0), else_=1)


class DutyLine(NamedTuple):
    """A line of the roster, and whether its officer is active."""

    officer_id: UUID
    grid_id: str
    role: str
    since: datetime
    until: datetime
    active: bool


async def on_duty(session: AsyncSession, grid_id: str, at: datetime) -> list[Officer]:
    """Return the active officers on duty for a grid at an instant, the holder before the deputies."""
    wanted = (
        select(Officer)
        .join(Duty, Duty.officer_id == Officer.id)
        .where(Duty.grid_id == grid_id, Duty.since <= at, Duty.until > at, Officer.active.is_(True))
        .order_by(_HOLDER_FIRST, Duty.since, Officer.id)
    )
    return list((await session.scalars(wanted)).unique())


async def duties_of(session: AsyncSession, officer_id: UUID, at: datetime) -> list[Duty]:
    """Return what an officer is on duty for at an instant: grids held before grids deputised for, by id."""
    wanted = select(Duty).where(Duty.officer_id == officer_id, Duty.since <= at, Duty.until > at)
    return list(await session.scalars(wanted.order_by(_HOLDER_FIRST, Duty.grid_id, Duty.id)))


async def duty_lines(
    session: AsyncSession, grids: Collection[str], officers: Collection[UUID], since: datetime, until: datetime
) -> list[DutyLine]:
    """Return who is on duty for any of these grids, and for what any of these officers is, between two instants.

    In the order in which officers on duty for a grid are preferred.
    """
    if not grids and not officers:
        return []
    lines = select(Duty.officer_id, Duty.grid_id, Duty.role, Duty.since, Duty.until, Officer.active)
    wanted = lines.join(Officer, Officer.id == Duty.officer_id).where(
        Duty.since <= until, Duty.until > since, Duty.grid_id.in_(grids) | Duty.officer_id.in_(officers)
    )
    rows = await session.execute(wanted.order_by(_HOLDER_FIRST, Duty.since, Officer.id))
    return [DutyLine(*row) for row in rows]


async def duties_between(session: AsyncSession, grid_id: str, since: datetime, until: datetime) -> list[Duty]:
    """Return the duties for a grid that touch a stretch of time, earliest first."""
    wanted = select(Duty).where(Duty.grid_id == grid_id, Duty.since < until, Duty.until > since)
    return list(await session.scalars(wanted.order_by(Duty.since, Duty.id)))


async def hold_roster(session: AsyncSession, grid_id: str) -> None:
    """Keep others from changing a grid's roster until the transaction ends. Raises RefusedRequestError (404)."""
    held = await session.scalar(select(Grid.id).where(Grid.id == grid_id).with_for_update())
    if held is None:
        raise RefusedRequestError("grids.unknown", f"no grid {grid_id!r}", status=404)


async def has_duty_after(session: AsyncSession, officer_id: UUID, at: datetime) -> bool:
    """Tell whether an officer is or will be on duty."""
    return bool(
        await session.scalar(select(exists(select(Duty.id).where(Duty.officer_id == officer_id, Duty.until > at))))
    )


async def unit(session: AsyncSession, unit_id: str) -> OrgUnit:
    """Return a unit. Raises RefusedRequestError (404)."""
    found = await session.get(OrgUnit, unit_id)
    if found is None:
        raise RefusedRequestError("org_units.unknown", f"no unit {unit_id!r}", status=404)
    return found


async def officer(session: AsyncSession, officer_id: UUID) -> Officer:
    """Return an officer. Raises RefusedRequestError (404)."""
    found = await session.get(Officer, officer_id)
    if found is None:
        raise RefusedRequestError("officers.unknown", f"no officer {officer_id}", status=404)
    return found


async def duty(session: AsyncSession, duty_id: UUID) -> Duty:
    """Return a line of the roster. Raises RefusedRequestError (404)."""
    found = await session.get(Duty, duty_id)
    if found is None:
        raise RefusedRequestError("roster.unknown", f"no duty {duty_id}", status=404)
    return found


async def add_unit(session: AsyncSession, new: OrgUnit) -> bool:
    """Insert a unit; False when its id is taken."""
    row = {"id": new.id, "name": new.name, "level": new.level, "parent_id": new.parent_id, "version": 1}
    return await insert_new(session, OrgUnit, [row]) == 1


async def add(session: AsyncSession, row: Officer | Duty) -> None:
    """Insert one row."""
    session.add(row)
    await session.flush()


async def change(session: AsyncSession, row: Officer, values: dict[str, Any]) -> bool:
    """Write new values over the version that was read; False when it was changed meanwhile."""
    changed = await session.scalar(
        update(Officer)
        .where(Officer.id == row.id, Officer.version == row.version)
        .values(**values, version=Officer.version + 1)
        .returning(Officer.id),
        execution_options={"synchronize_session": False},
    )
    if changed is None:
        return False
    await session.refresh(row)
    return True


async def set_end(session: AsyncSession, line: Duty, until: datetime) -> None:
    """Let a duty end at another time."""
    line.until = until
    await session.flush()


async def remove(session: AsyncSession, line: Duty) -> None:
    """Delete a duty that has not begun."""
    await session.delete(line)
    await session.flush()


def units() -> Select[OrgUnit]:
    """All units."""
    return select(OrgUnit)


def officers(*, unit: str | None, kind: str | None, active: bool | None) -> Select[Officer]:
    """Officers that fit every filter given; `unit` includes what lies below it."""
    wanted = select(Officer)
    if unit is not None:
        wanted = wanted.where((Officer.unit_id == unit) | Officer.unit_id.startswith(f"{unit}/", autoescape=True))
    if kind is not None:
        wanted = wanted.where(Officer.kind == kind)
    if active is not None:
        wanted = wanted.where(Officer.active.is_(active))
    return wanted


def duties(*, grid: str | None, officer: UUID | None, at: datetime | None) -> Select[Duty]:
    """Lines of the roster that fit every filter given."""
    wanted = select(Duty)
    if grid is not None:
        wanted = wanted.where(Duty.grid_id == grid)
    if officer is not None:
        wanted = wanted.where(Duty.officer_id == officer)
    if at is not None:
        wanted = wanted.where(Duty.since <= at, Duty.until > at)
    return wanted
