"""Opening an installation, and saying whose box it is and where. The caller commits."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from hub.devices import repository as devices
from hub.installations import repository
from hub.installations.model import Installation, InstallationState
from hub.stream.stream import Stream
from hub.subjects import archive
from hub.subjects import repository as subjects
from protocol.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the installer stands: WGS-84 degrees, the mean of `fixes`, good to a radius of `accuracy_m` metres."""

    latitude: float
    longitude: float
    accuracy_m: float
    fixes: int


async def begin(session: AsyncSession, clock: Clock, gateway: str, installer: str) -> Installation:
    """Return the open installation of a gateway, opened now if there is none; the installer is who said so last."""
    row = await repository.open_or_none(session, gateway, locked=True)
    if row is None:
        row = Installation(id=clock.new_id(), gateway=gateway, installer=installer, opened_at=clock.now())
        session.add(row)
        await session.flush()
    row.installer = installer
    return row


async def give_up(session: AsyncSession, gateway: str) -> None:
    """End the open installation without a certificate."""
    row = await repository.open_at(session, gateway, locked=True)
    row.state = InstallationState.GIVEN_UP.value
    row.version += 1


async def place(
    session: AsyncSession, clock: Clock, stream: Stream, gateway: str, *, subject_id: UUID, at: Place
) -> Installation:
    """Put the box and every device that nobody carries at a subject, and note where that is.

    The subject's archive says so once per subject. Raises RefusedRequestError (404) for a subject that is not there.
    """
    row = await repository.open_at(session, gateway, locked=True)
    subject = await subjects.find(session, subject_id)
    row.subject_id, row.placed_at = subject.id, clock.now()
    row.latitude, row.longitude, row.accuracy_m, row.fixes = at.latitude, at.longitude, at.accuracy_m, at.fixes
    row.version += 1
    site = {"subject_id": subject.id, "latitude": at.latitude, "longitude": at.longitude}
    for device in await repository.devices_of(session, gateway):
        if device.officer_id is None:
            await devices.change(session, device, site)
            await stream.append(session, "device", {"gateway": gateway, "device": device.device, "changed": True})
    await archive.append(
        session,
        clock,
        subject.id,
        at=clock.now(),
        kind="installation.placed",
        summary=f"安装网关 {gateway}",
        ref=str(row.id),
    )
    return row
