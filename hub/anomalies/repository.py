"""All SQL of anomalies, and of what the detectors know between batches."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Select, delete, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from hub.anomalies.circumstances import Shift
from hub.anomalies.finding import instant, microseconds
from hub.anomalies.model import Anomaly, LateFix, TrackCheckpoint, Watch
from hub.devices.model import Device
from hub.gateways.model import Gateway
from hub.organisation.model import Duty
from hub.storage.portions import portions
from hub.storage.upsert import insert_new
from hub.subjects.model import Subject

Key = tuple[str, str]
"""Gateway and device."""


class Marks(NamedTuple):
    """Late fixes that wait: number of the first and the last mark, and the earliest time of all."""

    first: int
    last: int
    from_us: int


async def hold(session: AsyncSession, keys: Collection[Key]) -> dict[Key, Watch]:
    """Return what is known of these devices, held until the transaction ends; a new device has a new row."""
    found = await _held(session, keys)
    missing = [key for key in sorted(keys) if key not in found]
    for some in portions(missing):
        fresh = [{"gateway": gateway, "device": device, "heard": [], "fixes": []} for gateway, device in some]
        await insert_new(session, Watch, fresh)
    return found | await _held(session, missing)


async def _held(session: AsyncSession, keys: Collection[Key]) -> dict[Key, Watch]:
    found: dict[Key, Watch] = {}
    for some in portions(sorted(keys)):
        wanted = select(Watch).where(tuple_(Watch.gateway, Watch.device).in_(some))
        ordered = wanted.order_by(Watch.gateway, Watch.device).with_for_update()
        found |= {(row.gateway, row.device): row for row in await session.scalars(ordered)}
    return found


async def devices(session: AsyncSession, keys: Collection[Key]) -> dict[Key, Device]:
    """Return these devices."""
    found: dict[Key, Device] = {}
    for some in portions(sorted(keys)):
        rows = await session.scalars(select(Device).where(tuple_(Device.gateway, Device.device).in_(some)))
        found |= {(row.gateway, row.device): row for row in rows}
    return found


async def devices_of(session: AsyncSession, gateway: str) -> Sequence[Device]:
    """Return the devices of a gateway."""
    return (await session.scalars(select(Device).where(Device.gateway == gateway).order_by(Device.device))).all()


async def grids_of_subjects(session: AsyncSession, ids: Collection[UUID]) -> dict[UUID, str]:
    """Return the grids of these subjects, of those that have one."""
    found: dict[UUID, str] = {}
    for some in portions(sorted(ids)):
        wanted = select(Subject.id, Subject.grid_id).where(Subject.id.in_(some), Subject.grid_id.is_not(None))
        found |= {row.id: row.grid_id for row in await session.execute(wanted) if row.grid_id is not None}
    return found


async def expected(session: AsyncSession) -> list[tuple[str, str, float]]:
    """Return the devices that are expected to speak: gateway, device, seconds. Officers may switch theirs off."""
    wanted = select(Device.gateway, Device.device, Device.expected_interval_s).where(
        Device.expected_interval_s.is_not(None), Device.officer_id.is_(None)
    )
    return [(gateway, device, seconds or 0.0) for gateway, device, seconds in await session.execute(wanted)]


async def watched(session: AsyncSession, gateway: str) -> dict[str, Watch]:
    """Return what is known of the devices of a gateway, by device, held until the transaction ends."""
    wanted = select(Watch).where(Watch.gateway == gateway).order_by(Watch.device).with_for_update()
    return {row.device: row for row in await session.scalars(wanted)}


async def not_heard_since(session: AsyncSession, before: datetime, limit: int, after: Key | None) -> list[Key]:
    """Return devices from which nothing, or no fix, was received since then, in order, beginning after one."""
    wanted = select(Watch.gateway, Watch.device).where(or_(Watch.heard_at < before, Watch.fixes_at < before))
    if after is not None:
        wanted = wanted.where(tuple_(Watch.gateway, Watch.device) > tuple_(*after))
    rows = await session.execute(wanted.order_by(Watch.gateway, Watch.device).limit(limit))
    return [(gateway, device) for gateway, device in rows]


async def by_id(session: AsyncSession, ids: Collection[UUID]) -> dict[UUID, Anomaly]:
    """Return these anomalies, held until the transaction ends."""
    found: dict[UUID, Anomaly] = {}
    for some in portions(sorted(ids)):
        wanted = select(Anomaly).where(Anomaly.id.in_(some)).order_by(Anomaly.id).with_for_update()
        found |= {row.id: row for row in await session.scalars(wanted)}
    return found


async def began_between(
    session: AsyncSession, key: Key, kinds: Collection[str], since_us: int, until_us: int
) -> list[Anomaly]:
    """Return the anomalies of a device that stand and began at since <= began < until."""
    wanted = _standing(key, kinds).where(Anomaly.began_at >= instant(since_us), Anomaly.began_at < instant(until_us))
    return list(await session.scalars(wanted.order_by(Anomaly.began_at, Anomaly.id)))


async def decided_after(session: AsyncSession, key: Key, kinds: Collection[str], at_us: int) -> list[Anomaly]:
    """Return the anomalies of a device that stand and were decided by fixes after a time."""
    wanted = _standing(key, kinds).where(Anomaly.decided_at > instant(at_us))
    return list(await session.scalars(wanted.order_by(Anomaly.decided_at, Anomaly.id)))


async def outages(session: AsyncSession, gateway: str, kind: str, since_us: int) -> list[tuple[int, int | None]]:
    """Return when a gateway was offline, as far as it reaches beyond a time."""
    wanted = _standing((gateway, ""), (kind,)).where(
        or_(Anomaly.ended_at.is_(None), Anomaly.ended_at >= instant(since_us))
    )
    rows = await session.scalars(wanted.order_by(Anomaly.began_at))
    return [(microseconds(row.began_at), microseconds(row.ended_at) if row.ended_at else None) for row in rows]


async def offline_since(session: AsyncSession, names: Collection[str], kind: str, since_us: int) -> set[str]:
    """Return which of these gateways were offline at some time after one."""
    found: set[str] = set()
    for some in portions(sorted(names)):
        wanted = select(Anomaly.gateway).where(Anomaly.gateway.in_(some), Anomaly.device == "", Anomaly.type == kind)
        lasting = or_(Anomaly.ended_at.is_(None), Anomaly.ended_at >= instant(since_us))
        found |= set(await session.scalars(wanted.where(Anomaly.withdrawn_at.is_(None), lasting)))
    return found


async def open_of(session: AsyncSession, kind: str) -> list[Anomaly]:
    """Return the anomalies of a type that stand and last."""
    wanted = select(Anomaly).where(Anomaly.type == kind, Anomaly.ended_at.is_(None), Anomaly.withdrawn_at.is_(None))
    return list(await session.scalars(wanted.order_by(Anomaly.id)))


async def offline_gateways(session: AsyncSession) -> list[Gateway]:
    """Return the gateways whose link is down."""
    wanted = select(Gateway).where(
        Gateway.online.is_(False), Gateway.revoked_at.is_(None), Gateway.last_seen_at.is_not(None)
    )
    return list(await session.scalars(wanted.order_by(Gateway.gateway)))


async def gateways(session: AsyncSession, names: Collection[str]) -> dict[str, Gateway]:
    """Return these gateways."""
    rows = await session.scalars(select(Gateway).where(Gateway.gateway.in_(names)))
    return {row.gateway: row for row in rows}


async def shifts(
    session: AsyncSession, officers: Collection[UUID], since_us: int, until_us: int
) -> Mapping[UUID, list[Shift]]:
    """Return the roster of officers where it touches a stretch of time."""
    found: dict[UUID, list[Shift]] = {officer: [] for officer in officers}
    if not officers:
        return found
    wanted = select(Duty).where(Duty.since <= instant(until_us), Duty.until > instant(since_us))
    for duty in await session.scalars(wanted.where(Duty.officer_id.in_(officers)).order_by(Duty.since, Duty.id)):
        shift = Shift(microseconds(duty.since), microseconds(duty.until), duty.grid_id)
        found[duty.officer_id].append(shift)
    return found


async def mark_late(session: AsyncSession, key: Key, at_us: int) -> None:
    """Write down that a track has to be judged again from a time on."""
    session.add(LateFix(gateway=key[0], device=key[1], at_us=at_us))
    await session.flush()


async def late(session: AsyncSession, key: Key) -> Marks | None:
    """Return the marks of a device, if it has any."""
    wanted = select(func.min(LateFix.number), func.max(LateFix.number), func.min(LateFix.at_us))
    row = (await session.execute(wanted.where(LateFix.gateway == key[0], LateFix.device == key[1]))).one()
    return None if row[0] is None else Marks(*row)


async def judged_through(session: AsyncSession, key: Key) -> int:
    """Return until when the track of a device was judged; -1 when it never was."""
    wanted = select(Watch.through_us).where(Watch.gateway == key[0], Watch.device == key[1])
    through_us = await session.scalar(wanted)
    return -1 if through_us is None else through_us


async def forget_late(session: AsyncSession, key: Key, number: int) -> None:
    """Forget the marks of a device up to a number."""
    await session.execute(
        delete(LateFix).where(LateFix.gateway == key[0], LateFix.device == key[1], LateFix.number <= number)
    )


async def checkpoint_before(session: AsyncSession, key: Key, at_us: int) -> TrackCheckpoint | None:
    """Return the newest checkpoint of a device that was taken before a time."""
    wanted = select(TrackCheckpoint).where(TrackCheckpoint.gateway == key[0], TrackCheckpoint.device == key[1])
    return await session.scalar(
        wanted.where(TrackCheckpoint.at_us < at_us).order_by(TrackCheckpoint.at_us.desc()).limit(1)
    )


async def keep_checkpoints(session: AsyncSession, key: Key, states: Mapping[int, bytes], forget_before_us: int) -> None:
    """Add checkpoints by their times, and forget those before the newest one that is older than a time."""
    rows: list[dict[str, Any]] = [
        {"gateway": key[0], "device": key[1], "at_us": at_us, "state": state} for at_us, state in states.items()
    ]
    if not rows:
        return
    for some in portions(rows):
        await insert_new(session, TrackCheckpoint, some)
    older = await checkpoint_before(session, key, forget_before_us)
    if older is not None:
        await session.execute(_checkpoints(key).where(TrackCheckpoint.at_us < older.at_us))


async def drop_checkpoints_after(session: AsyncSession, key: Key, at_us: int) -> None:
    """Forget the checkpoints of a device that were taken after a time."""
    await session.execute(_checkpoints(key).where(TrackCheckpoint.at_us > at_us))


def listed(
    *,
    kind: str | None,
    severity: str | None,
    gateway: str | None,
    device: str | None,
    subject: UUID | None,
    grid: str | None,
    since: datetime | None,
    until: datetime | None,
    withdrawn: bool,
) -> Select[Anomaly]:
    """Anomalies that fit every filter given; withdrawn ones only when they are wanted as well."""
    wanted = select(Anomaly)
    equal = {
        Anomaly.type: kind,
        Anomaly.severity: severity,
        Anomaly.gateway: gateway,
        Anomaly.device: device,
        Anomaly.subject_id: subject,
        Anomaly.grid_id: grid,
    }
    wanted = wanted.where(*(column == value for column, value in equal.items() if value is not None))
    if since is not None:
        wanted = wanted.where(Anomaly.began_at >= since)
    if until is not None:
        wanted = wanted.where(Anomaly.began_at < until)
    return wanted if withdrawn else wanted.where(Anomaly.withdrawn_at.is_(None))


def _standing(key: Key, kinds: Collection[str]) -> Select[Anomaly]:
    of_device = select(Anomaly).where(Anomaly.gateway == key[0], Anomaly.device == key[1])
    return of_device.where(Anomaly.type.in_(kinds), Anomaly.withdrawn_at.is_(None))


def _checkpoints(key: Key) -> Any:  # noqa: ANN401 - SQLAlchemy's Delete is generic in nothing of use
    return delete(TrackCheckpoint).where(TrackCheckpoint.gateway == key[0], TrackCheckpoint.device == key[1])
