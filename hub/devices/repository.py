"""All SQL of devices."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Select, bindparam, or_, select, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from hub.devices.model import Device
from hub.storage.portions import portions
from hub.storage.upsert import insert_new
from protocol.errors import RefusedRequestError


class DeviceKey(NamedTuple):
    """A device is known by its gateway's name and its own."""

    gateway: str
    device: str


async def find(session: AsyncSession, key: DeviceKey) -> Device | None:
    """Return a device."""
    return await session.get(Device, key)


def listed(*, gateway: str | None, gb28181_id: str | None) -> Select[Device]:
    """All devices, or those of a gateway, or the one with this number."""
    wanted = select(Device)
    if gateway is not None:
        wanted = wanted.where(Device.gateway == gateway)
    if gb28181_id is not None:
        wanted = wanted.where(Device.gb28181_id == gb28181_id)
    return wanted


async def change(session: AsyncSession, row: Device, values: Mapping[str, Any]) -> None:
    """Set columns of a device; raise RefusedRequestError for a number that another device has."""
    if number := values.get("gb28181_id"):
        taken = await session.scalar(select(Device).where(Device.gb28181_id == number))
        if taken is not None and taken is not row:
            where = f"{taken.device} at gateway {taken.gateway}"
            raise RefusedRequestError("devices.gb28181_id_taken", f"{where} has the number {number}")
    for name, value in values.items():
        setattr(row, name, value)
    row.version += 1
    try:
        await session.flush()
    except IntegrityError as error:
        raise RefusedRequestError("devices.gb28181_id_taken", "another device took the number just now") from error


async def among(session: AsyncSession, keys: Sequence[DeviceKey]) -> dict[DeviceKey, Device]:
    """Return these devices by name."""
    found: dict[DeviceKey, Device] = {}
    for some in portions(keys):
        rows = await session.scalars(select(Device).where(tuple_(Device.gateway, Device.device).in_(some)))
        found.update({DeviceKey(row.gateway, row.device): row for row in rows})
    return found


async def names(session: AsyncSession, gateways: Sequence[str]) -> dict[str, set[str]]:
    """Return the names of the devices of each of these gateways."""
    found: dict[str, set[str]] = {gateway: set() for gateway in gateways}
    for some in portions(gateways):
        for gateway, device in await session.execute(
            select(Device.gateway, Device.device).where(Device.gateway.in_(some))
        ):
            found[gateway].add(device)
    return found


async def add_new(session: AsyncSession, seen: Mapping[DeviceKey, datetime], now: datetime) -> None:
    """Add the devices that are not known yet."""
    rows: list[dict[str, Any]] = [
        {"gateway": key.gateway, "device": key.device, "first_seen_at": now, "last_seen_at": at}
        for key, at in sorted(seen.items())
    ]
    await insert_new(session, Device, rows)


_SEEN = (
    update(Device.__table__)  # type: ignore[arg-type]  # a mapped class's table is a Table
    .where(
        Device.gateway == bindparam("of"),
        Device.device == bindparam("seen"),
        or_(Device.last_seen_at.is_(None), Device.last_seen_at < bindparam("seen_at", type_=Device.last_seen_at.type)),
    )
    .values(last_seen_at=bindparam("seen_at"))
)


async def note_seen(session: AsyncSession, seen: Mapping[DeviceKey, datetime]) -> None:
    """Move the last word of devices forward, never back. In order, so that two workers do not wait for each other."""
    rows: list[dict[str, Any]] = [
        {"of": key.gateway, "seen": key.device, "seen_at": at} for key, at in sorted(seen.items())
    ]
    if rows:
        await (await session.connection()).execute(_SEEN, rows)
