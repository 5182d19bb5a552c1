"""All SQL of uploads."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.uploads.model import Upload


async def find(session: AsyncSession, upload_id: UUID) -> Upload | None:
    """Return an upload in any state."""
    return await session.get(Upload, upload_id)


async def add(session: AsyncSession, upload: Upload) -> None:
    """Insert an upload."""
    session.add(upload)
    await session.flush()


async def open_of(session: AsyncSession, sender: str, sha256: str, length: int, metadata_text: str) -> Upload | None:
    """Return the sender's unfinished upload of the same bytes, of which the same was said."""
    wanted = select(Upload).where(Upload.sender == sender, Upload.sha256 == sha256, Upload.state == "open")
    same = wanted.where(Upload.length == length, Upload.metadata_text == metadata_text)
    return await session.scalar(same.order_by(Upload.id).limit(1))


async def count_open(session: AsyncSession, sender: str) -> int:
    """Return how many unfinished uploads a sender has."""
    wanted = select(func.count()).select_from(Upload).where(Upload.sender == sender, Upload.state == "open")
    return await session.scalar(wanted) or 0


async def settle(session: AsyncSession, upload_id: UUID, state: str, at: datetime) -> bool:
    """End an open upload; False when it is not open any more."""
    ended = update(Upload).where(Upload.id == upload_id, Upload.state == "open").values(state=state, finished_at=at)
    return await session.scalar(ended.returning(Upload.id)) is not None


async def touch(session: AsyncSession, upload_id: UUID, at: datetime) -> None:
    """Note that bytes come."""
    await session.execute(update(Upload).where(Upload.id == upload_id).values(touched_at=at))


async def unfinished(session: AsyncSession) -> Sequence[Upload]:
    """Return every open upload, the longest untouched first."""
    return (await session.scalars(select(Upload).where(Upload.state == "open").order_by(Upload.touched_at))).all()
