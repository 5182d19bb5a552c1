"""All SQL of work orders."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.enrolment.model import Enrolment
from protocol.errors import RefusedRequestError


async def find(session: AsyncSession, order_id: UUID, *, locked: bool = False) -> Enrolment:
    """Return a work order, `locked` against other transactions. Raises RefusedRequestError (404)."""
    row = await session.get(Enrolment, order_id, with_for_update=locked)
    if row is None:
        raise RefusedRequestError("enrolments.unknown", f"no work order {order_id}", status=404)
    return row


async def with_code(session: AsyncSession, digest: bytes) -> Enrolment | None:
    """Return the work order whose code has this digest, locked against other transactions."""
    wanted = select(Enrolment).where(Enrolment.code_digest == digest).with_for_update()
    return (await session.scalars(wanted)).one_or_none()
