"""All SQL of creations that were answered."""

from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.api.model import CreationRow
from hub.storage.upsert import insert_new


async def claim(
    session: AsyncSession, creation_id: bytes, request_hash: bytes, now: datetime, forgotten_before: datetime
) -> bool:
    """Tell whether this creation is new, and take it. Waits for a concurrent transaction that took it first."""
    await session.execute(delete(CreationRow).where(CreationRow.id == creation_id, CreationRow.at < forgotten_before))
    row = {"id": creation_id, "request_hash": request_hash, "at": now}
    return await insert_new(session, CreationRow, [row]) == 1


async def claimed(session: AsyncSession, creation_id: bytes) -> CreationRow:
    """Return a creation that was taken."""
    return (await session.scalars(select(CreationRow).where(CreationRow.id == creation_id))).one()


async def complete(session: AsyncSession, creation_id: bytes, status: int, location: str | None, answer: bytes) -> None:
    """Keep the answer of a creation."""
    values = {"status": status, "location": location, "answer": answer}
    await session.execute(update(CreationRow).where(CreationRow.id == creation_id).values(values))


async def forget(session: AsyncSession, before: datetime) -> None:
    """Delete creations that nobody repeats any more."""
    await session.execute(delete(CreationRow).where(CreationRow.at < before))
