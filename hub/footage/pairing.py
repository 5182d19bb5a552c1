"""Whose clip it is and where it was taken: by the device's officer, the roster, tasks, and the officer's own track.

What a recorder's file says of people is a claim, and is noted as one: its numbers mean whom a person last linked them
to. What a person has linked stays as it is.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from hub.anomalies.fixes import metres_between
from hub.devices import repository as devices
from hub.devices.repository import DeviceKey
from hub.footage import repository
from hub.footage.model import Footage
from hub.jobs.enqueueing import enqueue
from hub.organisation import repository as organisation
from hub.storage.database import Database
from hub.subjects import archive
from hub.subjects import repository as subjects
from hub.telemetry.contract import TelemetryStore
from protocol.clock import Clock

PAIR: Final = "footage.pair"
PERSON: Final = "person"
LATE_DATA: Final = timedelta(hours=1)
"""A track may come after the clip: it is looked for once more then."""

NEAR_M: Final = 80.0
FEWEST_FIXES: Final = 3
AROUND: Final = timedelta(minutes=2)
FINISHED_WITHIN: Final = timedelta(hours=1)
"""A task is signed off some time after its recording ends."""

_MOST_FIXES: Final = 5_000


class Site(NamedTuple):
    """Where a business is."""

    subject_id: UUID
    latitude: float
    longitude: float


class Whose(NamedTuple):
    """An officer and how he was found."""

    officer_id: UUID | None
    by: str


async def ask_for_pairing(session: AsyncSession, clock: Clock, row: Footage, occasion: str) -> None:
    """Have a clip paired after the commit, and once more when a late track is in."""
    payload = {"footage": str(row.id)}
    await enqueue(session, clock, PAIR, dedupe_key=f"{PAIR}:{row.id}:{occasion}", payload=payload)
    late = clock.now() + LATE_DATA
    await enqueue(session, clock, PAIR, dedupe_key=f"{PAIR}:{row.id}:late", payload=payload, due_at=late)


async def pair(database: Database, telemetry: TelemetryStore, clock: Clock, footage_id: UUID) -> None:
    """Link a clip as far as what is stored now tells. Raises StoreUnavailableError."""
    async with database.read() as session:
        row = await repository.find(session, footage_id)
        whose = await _whose(session, row)
        sites = [Site(*each[:3]) for each in await subjects.placed(session)]
        carried = await repository.devices_of(session, whose.officer_id) if whose.officer_id else ()
    seen = await _seen_at(telemetry, row, carried, sites)
    async with database.write() as session:
        row = await repository.find(session, footage_id, hold=True)
        before = (row.officer_id, row.grid_id, row.subject_id, row.task_id)
        await _link(session, row, whose, seen)
        if before == (row.officer_id, row.grid_id, row.subject_id, row.task_id):
            return
        row.version += 1
        await note_in_archive(session, clock, row)


async def note_in_archive(session: AsyncSession, clock: Clock, row: Footage) -> None:
    """Tell the subject's archive that there is footage of it."""
    if row.subject_id is not None:
        await archive.append(
            session,
            clock,
            row.subject_id,
            at=row.at,
            kind="footage.linked",
            summary="执法音像已关联",
            ref=str(row.id),
            data={"footage": str(row.id), "sha256": row.sha256, "by": row.subject_by},
        )


def nearest(fixes: Iterable[tuple[float, float]], sites: Sequence[Site]) -> UUID | None:
    """Return the site that most fixes (latitude, longitude) are close to, of at least FEWEST_FIXES; None for a tie."""
    near: Counter[UUID] = Counter()
    for latitude, longitude in fixes:
        away = [(metres_between(latitude, longitude, site.latitude, site.longitude), site) for site in sites]
        if away and min(away)[0] <= NEAR_M:
            near[min(away)[1].subject_id] += 1
    match near.most_common(2):
        case [(subject, count)] if count >= FEWEST_FIXES:
            return subject
        case [(subject, count), (_, fewer)] if count >= FEWEST_FIXES and count > fewer:
            return subject
        case _:
            return None


async def _whose(session: AsyncSession, row: Footage) -> Whose:
    if row.officer_by == PERSON:
        return Whose(row.officer_id, PERSON)
    if row.gateway is not None and row.device is not None:
        device = await devices.find(session, DeviceKey(row.gateway, row.device))
        if device is not None and device.officer_id is not None:
            return Whose(device.officer_id, "device")
    claimed = await repository.officer_behind(session, row)
    return Whose(claimed, "claim" if claimed is not None else "")


async def _seen_at(
    telemetry: TelemetryStore, row: Footage, carried: Sequence[tuple[str, str]], sites: Sequence[Site]
) -> UUID | None:
    """Return the business that the officer's own devices were at while the clip was taken."""
    if row.began_at is None or row.ended_at is None or not sites:
        return None
    fixes = []
    for gateway, device in carried:
        stored = await telemetry.positions(gateway, device, row.began_at - AROUND, row.ended_at + AROUND, _MOST_FIXES)
        fixes += [(each.position.latitude, each.position.longitude) for each in stored]
    return nearest(fixes, sites)


async def _link(session: AsyncSession, row: Footage, whose: Whose, seen: UUID | None) -> None:
    if row.officer_by != PERSON:
        row.officer_id, row.officer_by = whose.officer_id, whose.by
    if row.officer_id is None or row.began_at is None or row.ended_at is None:
        return
    duties = await organisation.duties_of(session, row.officer_id, row.began_at)
    row.grid_id = duties[0].grid_id if duties else None
    if row.subject_by == PERSON:
        return
    task = await repository.task_done_in(session, row.officer_id, row.began_at, row.ended_at + FINISHED_WITHIN)
    row.task_id = task.id if task is not None else None
    if task is not None and task.subject_id is not None:
        row.subject_id, row.subject_by = task.subject_id, "task"
    elif seen is not None:
        row.subject_id, row.subject_by = seen, "track"
