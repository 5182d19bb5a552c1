"""All SQL of kiosks."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.kiosks.model import Kiosk
from hub.subjects.model import Subject
from protocol.errors import RefusedRequestError

_PUBLIC = ("operating", "suspended", "closed", "moved", "verified")
"""Statuses of businesses whose existence is confirmed: what is only a candidate is nobody's business yet."""


async def find(session: AsyncSession, kiosk_id: UUID) -> Kiosk:
    """Return a kiosk. Raises RefusedRequestError (404)."""
    row = await session.get(Kiosk, kiosk_id)
    if row is None:
        raise RefusedRequestError("kiosks.unknown", f"no kiosk {kiosk_id}", status=404)
    return row


async def at(session: AsyncSession, gateway: str, device: str) -> Kiosk | None:
    """Return the kiosk that is this device."""
    return await session.scalar(select(Kiosk).where(Kiosk.gateway == gateway, Kiosk.device == device))


async def with_key(session: AsyncSession, key_id: str, *, hold: bool = False) -> Kiosk | None:
    """Return the kiosk whose page has this key, held until the transaction ends if that is wanted."""
    wanted = select(Kiosk).where(Kiosk.key_id == key_id)
    return await session.scalar(wanted.with_for_update() if hold else wanted)


async def silent_since(session: AsyncSession, before: datetime) -> list[Kiosk]:
    """Return kiosks in use that were not heard since then and of whom that is not told, held until the end."""
    wanted = select(Kiosk).where(Kiosk.retired_at.is_(None), Kiosk.silence_id.is_(None), Kiosk.last_heard_at < before)
    return list(await session.scalars(wanted.order_by(Kiosk.id).with_for_update()))


async def public_subjects(session: AsyncSession, text: str, limit: int) -> list[Subject]:
    """Return businesses whose name, address or licence holds a text, those that begin with it first."""
    holds = or_(
        Subject.name.icontains(text, autoescape=True),
        Subject.address.icontains(text, autoescape=True),
        Subject.licence == text.upper(),
    )
    begins = Subject.name.istartswith(text, autoescape=True)
    wanted = select(Subject).where(Subject.status.in_(_PUBLIC), holds)
    return list(await session.scalars(wanted.order_by(begins.desc(), Subject.name, Subject.id).limit(limit)))
