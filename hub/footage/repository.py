"""All SQL of footage."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, exists, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.devices.model import Device
from hub.footage.model import Footage, FootageExport, FootageHold, FootageViewing
from hub.organisation.model import Duty
from hub.storage.upsert import insert_new
from hub.tasks.model import Task
from protocol.errors import RefusedRequestError


async def find(session: AsyncSession, footage_id: UUID, *, hold: bool = False) -> Footage:
    """Return a clip; with `hold` keep others from changing it until the transaction ends. Refuses with 404."""
    found = await session.get(Footage, footage_id, with_for_update=hold or None)
    if found is None:
        raise RefusedRequestError("footage.unknown", f"no footage {footage_id}", status=404)
    return found


async def named(session: AsyncSession, sha256: str) -> Footage | None:
    """Return the clip of these bytes, held until the transaction ends."""
    return await session.scalar(select(Footage).where(Footage.sha256 == sha256).with_for_update())


async def is_there(session: AsyncSession, sha256: str, size: int) -> bool:
    """Tell whether these bytes were received, also when they were deleted since."""
    wanted = select(Footage.id).where(Footage.sha256 == sha256, Footage.size == size, Footage.state != "expected")
    return await session.scalar(wanted) is not None


async def named_or_new(session: AsyncSession, row: dict[str, Any]) -> Footage:
    """Insert a clip unless its bytes have one; return that of its bytes, held until the transaction ends."""
    await insert_new(session, Footage, [row])
    found = await named(session, row["sha256"])
    if found is None:
        raise RefusedRequestError("footage.unknown", "the footage went while it was looked at", status=404)
    return found


async def change(session: AsyncSession, row: Footage, values: dict[str, Any]) -> bool:
    """Write new values over the version that was read; False when it was changed meanwhile."""
    mine = update(Footage).where(Footage.id == row.id, Footage.version == row.version)
    changed = await session.scalar(
        mine.values(**values, version=Footage.version + 1).returning(Footage.id),
        execution_options={"synchronize_session": False},
    )
    if changed is None:
        return False
    await session.refresh(row)
    return True


async def overlapping(session: AsyncSession, officer_id: UUID, since: datetime, until: datetime) -> Sequence[Footage]:
    """Return an officer's clips that touch a stretch of time, in order, kept or still expected or deleted since."""
    wanted = select(Footage).where(Footage.officer_id == officer_id, Footage.began_at < until, Footage.ended_at > since)
    return (await session.scalars(wanted.order_by(Footage.began_at, Footage.id))).all()


async def deletable(session: AsyncSession, category: str, received_before: datetime, limit: int) -> Sequence[UUID]:
    """Return clips of a category that were received before then and that nobody holds, the oldest first."""
    held = exists().where(FootageHold.footage_id == Footage.id, FootageHold.lifted_at.is_(None))
    wanted = select(Footage.id).where(
        Footage.state == "kept", Footage.category == category, Footage.received_at < received_before, ~held
    )
    return (await session.scalars(wanted.order_by(Footage.received_at, Footage.id).limit(limit))).all()


async def is_held(session: AsyncSession, footage_id: UUID) -> bool:
    """Tell whether somebody's hold stands."""
    wanted = select(FootageHold.id).where(FootageHold.footage_id == footage_id, FootageHold.lifted_at.is_(None))
    return await session.scalar(wanted.limit(1)) is not None


async def held_among(session: AsyncSession, footage_ids: Sequence[UUID]) -> set[UUID]:
    """Return which of these clips are held."""
    wanted = select(FootageHold.footage_id).where(
        FootageHold.footage_id.in_(footage_ids), FootageHold.lifted_at.is_(None)
    )
    return set(await session.scalars(wanted))


async def add(session: AsyncSession, row: FootageViewing | FootageHold | FootageExport) -> None:
    """Insert an act."""
    session.add(row)
    await session.flush()


async def viewing(session: AsyncSession, viewing_id: UUID, footage_id: UUID) -> FootageViewing | None:
    """Return a viewing of a clip."""
    found = await session.get(FootageViewing, viewing_id)
    return found if found is not None and found.footage_id == footage_id else None


async def hold(session: AsyncSession, hold_id: UUID, footage_id: UUID) -> FootageHold:
    """Return a hold of a clip. Raises RefusedRequestError (404)."""
    found = await session.get(FootageHold, hold_id)
    if found is None or found.footage_id != footage_id:
        raise RefusedRequestError("footage.no_hold", f"no hold {hold_id} of this footage", status=404)
    return found


async def export(session: AsyncSession, export_id: UUID, footage_id: UUID) -> FootageExport:
    """Return an export of a clip. Raises RefusedRequestError (404)."""
    found = await session.get(FootageExport, export_id)
    if found is None or found.footage_id != footage_id:
        raise RefusedRequestError("footage.no_export", f"no export {export_id} of this footage", status=404)
    return found


def viewings_of(footage_id: UUID) -> Select[FootageViewing]:
    """Viewings of one clip."""
    return select(FootageViewing).where(FootageViewing.footage_id == footage_id)


def holds_of(footage_id: UUID) -> Select[FootageHold]:
    """Holds of one clip, lifted ones too."""
    return select(FootageHold).where(FootageHold.footage_id == footage_id)


def listed(
    *,
    state: str | None,
    gateway: str | None,
    device: str | None,
    officer: UUID | None,
    subject: UUID | None,
    task: UUID | None,
    playable: bool | None,
    since: datetime | None,
    until: datetime | None,
) -> Select[Footage]:
    """Clips that fit every filter given; times are those of their beginning."""
    wanted = select(Footage)
    for condition in (
        None if state is None else Footage.state == state,
        None if gateway is None else Footage.gateway == gateway,
        None if device is None else Footage.device == device,
        None if officer is None else Footage.officer_id == officer,
        None if subject is None else Footage.subject_id == subject,
        None if task is None else Footage.task_id == task,
        None if playable is None else Footage.playable.is_(playable),
        None if since is None else Footage.at >= since,
        None if until is None else Footage.at < until,
    ):
        if condition is not None:
            wanted = wanted.where(condition)
    return wanted


async def officer_behind(session: AsyncSession, row: Footage) -> UUID | None:
    """Return whom a person last linked a clip to that claims the same officer's number, else the same unit's."""
    for column, claimed in (
        (Footage.claimed_officer, row.claimed_officer),
        (Footage.claimed_unit, row.claimed_unit),
    ):
        linked = select(Footage.officer_id).where(column == claimed, Footage.officer_by == "person")
        found = (
            await session.scalar(linked.order_by(Footage.at.desc(), Footage.id.desc()).limit(1)) if claimed else None
        )
        if found is not None:
            return found
    return None


async def devices_of(session: AsyncSession, officer_id: UUID) -> Sequence[tuple[str, str]]:
    """Return (gateway, device) of what an officer carries."""
    rows = await session.execute(select(Device.gateway, Device.device).where(Device.officer_id == officer_id))
    return [(row.gateway, row.device) for row in rows]


async def task_done_in(session: AsyncSession, officer_id: UUID, since: datetime, until: datetime) -> Task | None:
    """Return the first task that an officer finished in a stretch of time."""
    wanted = select(Task).where(Task.officer_id == officer_id, Task.done_at >= since, Task.done_at <= until)
    return await session.scalar(wanted.where(Task.state == "done").order_by(Task.done_at, Task.id).limit(1))


async def overlapping_duties(
    session: AsyncSession, officer_id: UUID, since: datetime, until: datetime
) -> Sequence[Duty]:
    """Return an officer's duties that touch a stretch of time, in order."""
    wanted = select(Duty).where(Duty.officer_id == officer_id, Duty.since < until, Duty.until > since)
    return (await session.scalars(wanted.order_by(Duty.since, Duty.id))).all()
