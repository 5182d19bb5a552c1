"""All SQL of media."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from hub.media.model import MediaObject
from hub.storage.upsert import insert_new


async def find(session: AsyncSession, sha256: str) -> MediaObject | None:
    """Return what is known of a stored picture."""
    return await session.get(MediaObject, sha256)


async def add_new(session: AsyncSession, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add pictures that are not known yet."""
    await insert_new(session, MediaObject, [dict(row) for row in rows])


def row(sha256: str, content_type: str, size: int, gateway: str, received_at: datetime) -> dict[str, Any]:
    """Return the row of a picture."""
    return {
        "sha256": sha256,
        "content_type": content_type,
        "size": size,
        "gateway": gateway,
        "received_at": received_at,
    }
