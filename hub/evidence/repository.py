"""All SQL of evidence."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import Select, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from hub.events.model import EventMessage
from hub.evidence.model import Evidence, EvidenceUse
from hub.storage.upsert import insert_new
from protocol.errors import RefusedRequestError

Key = tuple[str, UUID]
"""Gateway and event."""


async def first_message(session: AsyncSession, gateway: str, event: UUID) -> EventMessage:
    """Return the first message of a happening. Raises RefusedRequestError (404)."""
    wanted = select(EventMessage).where(EventMessage.gateway == gateway, EventMessage.event == event)
    row = await session.scalar(wanted.order_by(EventMessage.at, EventMessage.number).limit(1))
    if row is None:
        raise RefusedRequestError("events.unknown", f"no event {event} of gateway {gateway}", status=404)
    return row


async def find(session: AsyncSession, gateway: str, event: UUID) -> Evidence | None:
    """Return what was done about a happening as evidence."""
    return await session.get(Evidence, (gateway, event))


async def files(session: AsyncSession, keys: Collection[Key]) -> dict[Key, list[str]]:
    """Return the penalty files that rest on each of these."""
    found: dict[Key, list[str]] = {key: [] for key in keys}
    if found:
        wanted = select(EvidenceUse).where(tuple_(EvidenceUse.gateway, EvidenceUse.event).in_(list(found)))
        for row in await session.scalars(wanted.order_by(EvidenceUse.file)):
            found[row.gateway, row.event].append(row.file)
    return found


async def use(session: AsyncSession, row: EvidenceUse) -> bool:
    """Note that a file rests on a piece of evidence; tell whether that is new."""
    values = {column.key: getattr(row, column.key) for column in EvidenceUse.__table__.columns}
    return await insert_new(session, EvidenceUse, [values]) == 1


def listed(*, state: str | None, file: str | None, gateway: str | None, device: str | None) -> Select[Evidence]:
    """Recordings that somebody has looked at, that fit every filter given."""
    equal = {Evidence.state: state, Evidence.gateway: gateway, Evidence.device: device}
    wanted = select(Evidence).where(*(column == value for column, value in equal.items() if value is not None))
    if file is not None:
        resting = select(EvidenceUse.gateway, EvidenceUse.event).where(EvidenceUse.file == file)
        wanted = wanted.where(tuple_(Evidence.gateway, Evidence.event).in_(resting))
    return wanted
