"""All SQL of media."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import delete, func, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from hub.anomalies.model import Anomaly
from hub.complaints.model import Complaint
from hub.events.model import EventMessage
from hub.media.model import MediaObject
from hub.registers.model import Register
from hub.storage.upsert import insert_new, is_postgresql

FROM_PEOPLE: Final = ""
"""The gateway of pictures that people took: none."""


async def find(session: AsyncSession, sha256: str) -> MediaObject | None:
    """Return what is known of a stored picture."""
    return await session.get(MediaObject, sha256)


async def add_new(session: AsyncSession, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add pictures that are not known yet."""
    await insert_new(session, MediaObject, [dict(row) for row in rows])


async def unreferred(session: AsyncSession, before: datetime, limit: int) -> list[str]:
    """Return the names of pictures received before then that no event, anomaly, complaint or register refers to."""
    postgresql = is_postgresql(session)
    elements = func.jsonb_array_elements_text if postgresql else func.json_each
    members = func.jsonb_each_text if postgresql else func.json_each
    of_event = elements(EventMessage.images).table_valued("value")
    of_anomaly = members(Anomaly.images).table_valued("key")
    old = select(MediaObject.sha256).where(MediaObject.received_at < before)
    unreferred = old.except_(
        select(of_event.c.value).select_from(EventMessage).join(of_event, true()),
        select(of_anomaly.c.key).select_from(Anomaly).join(of_anomaly, true()),
        select(Complaint.photo).where(Complaint.photo.is_not(None)),
        select(Register.sign_photo).where(Register.sign_photo.is_not(None)),
    )
    return list(await session.scalars(unreferred.limit(limit)))


async def forget(session: AsyncSession, names: Collection[str]) -> None:
    """Delete the rows of pictures."""
    await session.execute(delete(MediaObject).where(MediaObject.sha256.in_(names)))


def row(sha256: str, content_type: str, size: int, gateway: str, received_at: datetime) -> dict[str, Any]:
    """Return the row of a picture."""
    return {
        "sha256": sha256,
        "content_type": content_type,
        "size": size,
        "gateway": gateway,
        "received_at": received_at,
    }
