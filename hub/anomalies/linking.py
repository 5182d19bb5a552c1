"""From devices to whose concern they are: their subjects, the grids, and the officers on duty when it happened."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from hub.anomalies import repository
from hub.devices.model import Device
from hub.grids.index import GridIndex
from hub.grids.live import LiveGrids
from hub.organisation.repository import DutyLine, duty_lines


class Links(NamedTuple):
    """What an anomaly is linked to."""

    subject_id: UUID | None = None
    grid_id: str | None = None
    officer_id: UUID | None = None


class Place(NamedTuple):
    """Where and when something began; an empty device stands for the gateway itself."""

    gateway: str
    device: str
    at: datetime


async def linked(session: AsyncSession, grids: LiveGrids, places: Collection[Place]) -> dict[Place, Links]:
    """Return the links of what began at these places.

    An officer's device leads to that officer and the grid that the roster assigned then. An installed device leads to
    its subject, the subject's grid (or the one around its site), and whoever was on duty there. A gateway belongs where
    all its devices belong, if that is one place.
    """
    if not places:
        return {}
    devices: dict[tuple[str, str], list[Device]] = {}
    for key, row in (await repository.devices(session, {(each.gateway, each.device) for each in places})).items():
        devices[key] = [row]
    for gateway in {each.gateway for each in places if not each.device}:
        devices[gateway, ""] = list(await repository.devices_of(session, gateway))
    homes = await _homes(session, await grids.current(), [row for rows in devices.values() for row in rows])
    officers = {row.officer_id for rows in devices.values() for row in rows if row.officer_id is not None}
    times = [each.at for each in places]
    lines = await duty_lines(session, set(homes.values()), officers, min(times), max(times))
    roster = Roster(lines)
    return {each: _links(devices.get((each.gateway, each.device), ()), homes, roster, each.at) for each in places}


class Roster:
    """Lines of the roster, asked by grid or officer, and time."""

    def __init__(self, lines: Sequence[DutyLine]) -> None:
        """Take lines as they are to be preferred on duty for a grid."""
        self._of_grid: dict[str, list[DutyLine]] = {}
        self._of_officer: dict[UUID, list[DutyLine]] = {}
        for line in lines:
            self._of_grid.setdefault(line.grid_id, []).append(line)
            self._of_officer.setdefault(line.officer_id, []).append(line)
        for mine in self._of_officer.values():
            mine.sort(key=lambda line: (line.role != "holder", line.grid_id))

    def officer_of(self, grid_id: str | None, at: datetime) -> UUID | None:
        """Return the active officer on duty for a grid, the holder before the deputies."""
        if grid_id is None:
            return None
        lines = self._of_grid.get(grid_id, ())
        return next((line.officer_id for line in lines if line.active and line.since <= at < line.until), None)

    def grid_of(self, officer_id: UUID, at: datetime) -> str | None:
        """Return the grid that an officer is on duty for, one that is held before those deputised for."""
        lines = self._of_officer.get(officer_id, ())
        return next((line.grid_id for line in lines if line.since <= at < line.until), None)


def _links(rows: Sequence[Device], homes: Mapping[tuple[str, str], str], roster: Roster, at: datetime) -> Links:
    found = {_of_device(row, homes.get((row.gateway, row.device)), roster, at) for row in rows}
    found.discard(Links())
    return found.pop() if len(found) == 1 else Links()


def _of_device(row: Device, home: str | None, roster: Roster, at: datetime) -> Links:
    if row.officer_id is not None:
        return Links(row.subject_id, roster.grid_of(row.officer_id, at), row.officer_id)
    return Links(row.subject_id, home, roster.officer_of(home, at))


async def _homes(session: AsyncSession, index: GridIndex, rows: Sequence[Device]) -> dict[tuple[str, str], str]:
    """Return the grids of installed devices."""
    subjects = {row.subject_id for row in rows if row.subject_id is not None}
    of_subject = await repository.grids_of_subjects(session, subjects)
    homes: dict[tuple[str, str], str] = {}
    for row in rows:
        grid_id = of_subject.get(row.subject_id) if row.subject_id is not None else None
        if grid_id is None and row.latitude is not None and row.longitude is not None:
            grid_id = index.locate(row.latitude, row.longitude)
        if row.officer_id is None and grid_id is not None:
            homes[row.gateway, row.device] = grid_id
    return homes
