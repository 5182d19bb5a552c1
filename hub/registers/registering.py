"""Writing the legal register of a device. The caller commits."""

from sqlalchemy.ext.asyncio import AsyncSession

from hub.devices.model import Device
from hub.media import repository as media
from hub.registers import repository
from hub.registers.duties import missing
from hub.registers.model import Register
from hub.registers.schemas import RegisterIn
from hub.subjects import archive
from protocol.clock import Clock
from protocol.errors import RefusedRequestError


async def write(session: AsyncSession, clock: Clock, device: Device, register: RegisterIn, *, by: str) -> Register:
    """Write what is registered of a device, whole, with a line in the archive of its subject.

    Raises RefusedRequestError: `registers.unknown_photo` (422).
    """
    photo = register.sign.photo if register.sign else None
    if photo is not None and await media.find(session, photo) is None:
        raise RefusedRequestError("registers.unknown_photo", f"no picture {photo}; send it by POST /media", status=422)
    now, entry = clock.now(), register.entry()
    row = await repository.find(session, device.gateway, device.device)
    if row is None:
        row = Register(gateway=device.gateway, device=device.device, version=0)
        session.add(row)
    values = register.model_dump(mode="json")
    for name in ("review", "sign", "location", "zones", "filing"):
        setattr(row, name, values[name])
    for name in ("purpose", "basis", "public_place", "in_use_since", "retention_days", "note"):
        setattr(row, name, getattr(register, name))
    row.sign_photo = photo
    row.open_items = sum(rule.item != "filing" for rule in missing(entry, now.date()))
    row.filing_due_on = entry.filing_due_on
    if entry.public_place and not entry.filed and entry.in_use_since is None:
        row.open_items += 1
    row.changed_at, row.changed_by = now, by
    row.version += 1
    if device.subject_id is not None:
        await archive.append(
            session,
            clock,
            device.subject_id,
            at=now,
            kind="device.registered",
            summary=f"采集设备登记: {device.device}",
            ref=f"{device.gateway}/{device.device}/{row.version}",
            data={"gateway": device.gateway, "device": device.device, "by": by},
        )
    return row
