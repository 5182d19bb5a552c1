"""From a device to whose concern it is: its subject, the grid, and the officer on duty when it happened."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from hub.anomalies import repository
from hub.devices.model import Device
from hub.grids.live import LiveGrids
from hub.organisation.repository import duties_of, on_duty
from hub.subjects.model import Subject


class Links(NamedTuple):
    """What an anomaly is linked to."""

    subject_id: UUID | None = None
    grid_id: str | None = None
    officer_id: UUID | None = None


async def linked(session: AsyncSession, grids: LiveGrids, gateway: str, device: str, at: datetime) -> Links:
    """Return the links of something that began at `at`; an empty device stands for the gateway itself.

    An officer's device leads to that officer and the grid that the roster assigned then. An installed device leads to
    its subject, the subject's grid (or the one around its site), and whoever was on duty there.
    """
    if not device:
        return await _of_gateway(session, grids, gateway, at)
    row = await session.get(Device, (gateway, device))
    return Links() if row is None else await _of_device(session, grids, row, at)


async def _of_gateway(session: AsyncSession, grids: LiveGrids, gateway: str, at: datetime) -> Links:
    """A gateway belongs where all its devices belong, if that is one place."""
    found = {await _of_device(session, grids, row, at) for row in await repository.devices_of(session, gateway)}
    found.discard(Links())
    return found.pop() if len(found) == 1 else Links()


async def _of_device(session: AsyncSession, grids: LiveGrids, row: Device, at: datetime) -> Links:
    if row.officer_id is not None:
        duties = await duties_of(session, row.officer_id, at)
        return Links(row.subject_id, duties[0].grid_id if duties else None, row.officer_id)
    grid_id = None
    if row.subject_id is not None:
        subject = await session.get(Subject, row.subject_id)
        grid_id = subject.grid_id if subject else None
    if grid_id is None and row.latitude is not None and row.longitude is not None:
        grid_id = (await grids.current()).locate(row.latitude, row.longitude)
    officers = await on_duty(session, grid_id, at) if grid_id else []
    return Links(row.subject_id, grid_id, officers[0].id if officers else None)
