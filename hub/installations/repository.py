"""All SQL of installations."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.alerts.model import AlertAnomaly
from hub.anomalies.finding import identity
from hub.anomalies.model import Anomaly
from hub.commands.model import IssuedCommand
from hub.devices.model import Device
from hub.installations.model import Installation, InstallationState
from hub.subjects.model import Subject
from protocol.errors import RefusedRequestError

BOX: Final = "gateway"
"""The device under whose name a box speaks of itself."""

_SUBJECTS_SHOWN: Final = 10


async def find(session: AsyncSession, installation_id: UUID) -> Installation:
    """Return an installation. Raises RefusedRequestError (404)."""
    row = await session.get(Installation, installation_id)
    if row is None:
        raise RefusedRequestError("installations.unknown", f"no installation {installation_id}", status=404)
    return row


async def open_at(session: AsyncSession, gateway: str, *, locked: bool = False) -> Installation:
    """Return the open installation of a gateway. Raises RefusedRequestError (404) when it has none."""
    row = await open_or_none(session, gateway, locked=locked)
    if row is None:
        raise RefusedRequestError("installations.none_open", f"no installation of {gateway} is open", status=404)
    return row


async def open_or_none(session: AsyncSession, gateway: str, *, locked: bool = False) -> Installation | None:
    """Return the open installation of a gateway, None when it has none."""
    wanted = select(Installation).where(
        Installation.gateway == gateway, Installation.state == InstallationState.OPEN.value
    )
    return (await session.scalars(wanted.with_for_update() if locked else wanted)).one_or_none()


async def newest(session: AsyncSession, gateway: str) -> Installation | None:
    """Return the installation of a gateway that was opened last."""
    wanted = select(Installation).where(Installation.gateway == gateway)
    return (await session.scalars(wanted.order_by(Installation.opened_at.desc()).limit(1))).one_or_none()


async def newest_certified(session: AsyncSession, gateway: str) -> Installation | None:
    """Return the installation of a gateway that was certified last."""
    wanted = select(Installation).where(Installation.gateway == gateway, Installation.number.is_not(None))
    return (await session.scalars(wanted.order_by(Installation.certified_at.desc()).limit(1))).one_or_none()


async def with_number(session: AsyncSession, number: str) -> Installation | None:
    """Return the installation whose certificate has this number."""
    return (await session.scalars(select(Installation).where(Installation.number == number))).one_or_none()


async def subjects_like(session: AsyncSession, words: str) -> Sequence[Subject]:
    """Return some subjects whose licence or credit code is these words, or whose name or address contains them."""
    exact = or_(Subject.licence == words, Subject.uscc == words)
    found = list(await session.scalars(select(Subject).where(exact).limit(_SUBJECTS_SHOWN)))
    if found:
        return found
    part = or_(Subject.name.icontains(words, autoescape=True), Subject.address.icontains(words, autoescape=True))
    return list(await session.scalars(select(Subject).where(part).order_by(Subject.name).limit(_SUBJECTS_SHOWN)))


async def devices_of(session: AsyncSession, gateway: str) -> Sequence[Device]:
    """Return the devices of a gateway by name."""
    wanted = select(Device).where(Device.gateway == gateway).order_by(Device.device)
    return list(await session.scalars(wanted))


async def commands(session: AsyncSession, ids: Collection[UUID]) -> dict[UUID, IssuedCommand]:
    """Return these commands."""
    rows = await session.scalars(select(IssuedCommand).where(IssuedCommand.id.in_(ids)))
    return {row.id: row for row in rows}


async def alert_of(session: AsyncSession, gateway: str, kind: str, event: UUID) -> tuple[UUID, datetime] | None:
    """Return the alert that an event of the box itself was counted in, and when the hub saw that; None as yet."""
    anomaly = identity(kind, gateway, BOX, event)
    wanted = (
        select(AlertAnomaly.alert_id, Anomaly.detected_at)
        .join(Anomaly, Anomaly.id == AlertAnomaly.anomaly_id)
        .where(AlertAnomaly.anomaly_id == anomaly)
    )
    row = (await session.execute(wanted)).first()
    return None if row is None else (row.alert_id, row.detected_at)


def listed(*, gateway: str | None, subject: UUID | None, state: InstallationState | None) -> Select[Installation]:
    """Installations that fit every filter given."""
    wanted = select(Installation)
    if gateway is not None:
        wanted = wanted.where(Installation.gateway == gateway)
    if subject is not None:
        wanted = wanted.where(Installation.subject_id == subject)
    if state is not None:
        wanted = wanted.where(Installation.state == state.value)
    return wanted
