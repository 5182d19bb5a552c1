"""All SQL of API keys and sessions."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts.model import ApiKeyRow, SessionRow


async def find(session: AsyncSession, key_id: str) -> ApiKeyRow | None:
    """Return a key, revoked or not."""
    return await session.get(ApiKeyRow, key_id)


async def every(session: AsyncSession) -> list[ApiKeyRow]:
    """Return all keys, newest first."""
    return list(await session.scalars(select(ApiKeyRow).order_by(ApiKeyRow.created_at.desc(), ApiKeyRow.id)))


async def revoke(session: AsyncSession, key_id: str, now: datetime) -> bool:
    """End a key and every session opened with it; tell whether it was alive."""
    ended = await session.scalar(
        update(ApiKeyRow)
        .where(ApiKeyRow.id == key_id, ApiKeyRow.revoked_at.is_(None))
        .values(revoked_at=now)
        .returning(ApiKeyRow.id)
    )
    await session.execute(delete(SessionRow).where(SessionRow.key_id == key_id))
    return ended is not None


async def note_uses(session: AsyncSession, uses: Mapping[str, datetime]) -> None:
    """Move the last use of keys forward, never back."""
    for key_id, at in uses.items():
        older = or_(ApiKeyRow.last_used_at.is_(None), ApiKeyRow.last_used_at < at)
        await session.execute(update(ApiKeyRow).where(ApiKeyRow.id == key_id, older).values(last_used_at=at))


async def key_of_session(session: AsyncSession, digest: bytes) -> tuple[ApiKeyRow, datetime] | None:
    """Return the key behind a session, and when the session ends."""
    both = select(ApiKeyRow, SessionRow.expires_at).join(SessionRow, SessionRow.key_id == ApiKeyRow.id)
    found = (await session.execute(both.where(SessionRow.digest == digest))).one_or_none()
    return None if found is None else (found[0], found[1])


async def close_session(session: AsyncSession, digest: bytes) -> None:
    """Forget a session."""
    await session.execute(delete(SessionRow).where(SessionRow.digest == digest))


async def forget_expired_sessions(session: AsyncSession, now: datetime) -> None:
    """Delete the sessions that are over."""
    await session.execute(delete(SessionRow).where(SessionRow.expires_at <= now))
