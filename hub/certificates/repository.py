"""All SQL of the certificates of gateways."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.certificates.model import Ended, GatewayCertificate


class Standing(NamedTuple):
    """A certificate and whether it still counts."""

    serial: str
    gateway: str
    stands: bool


async def find(session: AsyncSession, serial: str) -> GatewayCertificate | None:
    """Return a certificate, ended or not."""
    return await session.get(GatewayCertificate, serial)


async def changes(session: AsyncSession, since: datetime | None) -> list[Standing]:
    """Return the certificates that were issued or ended since then."""
    wanted = select(GatewayCertificate.serial, GatewayCertificate.gateway, GatewayCertificate.ended_at)
    if since is not None:
        wanted = wanted.where(or_(GatewayCertificate.issued_at >= since, GatewayCertificate.ended_at >= since))
    return [Standing(serial, gateway, ended_at is None) for serial, gateway, ended_at in await session.execute(wanted)]


async def end_all(
    session: AsyncSession, gateway: str, why: Ended, now: datetime, *, but: str | None = None
) -> list[str]:
    """End every certificate of a gateway except one; return the serial numbers of those that counted."""
    wanted = update(GatewayCertificate).where(
        GatewayCertificate.gateway == gateway, GatewayCertificate.ended_at.is_(None)
    )
    if but is not None:
        wanted = wanted.where(GatewayCertificate.serial != but)
    rows = await session.scalars(wanted.values(ended_at=now, ended_why=why).returning(GatewayCertificate.serial))
    return list(rows)


async def end_untried(session: AsyncSession, gateway: str, now: datetime) -> None:
    """End the certificates of a gateway that it never confirmed: it has lost their keys, or takes others."""
    await session.execute(
        update(GatewayCertificate)
        .where(
            GatewayCertificate.gateway == gateway,
            GatewayCertificate.ended_at.is_(None),
            GatewayCertificate.confirmed_at.is_(None),
        )
        .values(ended_at=now, ended_why=Ended.SUPERSEDED)
    )


async def issued_since(session: AsyncSession, gateway: str, since: datetime) -> int:
    """Return how many certificates a gateway was given since then."""
    wanted = select(func.count()).where(GatewayCertificate.gateway == gateway, GatewayCertificate.issued_at >= since)
    return (await session.scalar(wanted)) or 0
