"""All SQL of notifications: the channels, and the ledger."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.notifications.model import Channel, Notification
from hub.storage.upsert import insert_new, inserted
from protocol.errors import RefusedRequestError


async def add_channel(session: AsyncSession, row: dict[str, Any]) -> bool:
    """Insert a channel; False when its name is taken."""
    return await insert_new(session, Channel, [row]) == 1


async def channel(session: AsyncSession, channel_id: UUID) -> Channel:
    """Return a channel. Raises RefusedRequestError (404)."""
    found = await session.get(Channel, channel_id)
    if found is None:
        raise RefusedRequestError("channels.unknown", f"no channel {channel_id}", status=404)
    return found


async def open_channels(session: AsyncSession) -> list[Channel]:
    """Return the enabled channels, oldest first."""
    wanted = select(Channel).where(Channel.enabled.is_(True))
    return list(await session.scalars(wanted.order_by(Channel.created_at, Channel.id)))


async def change_channel(session: AsyncSession, row: Channel, values: dict[str, Any]) -> bool:
    """Write new values over the version that was read; False when it was changed meanwhile."""
    changed = await session.scalar(
        update(Channel)
        .where(Channel.id == row.id, Channel.version == row.version)
        .values(**values, version=Channel.version + 1)
        .returning(Channel.id),
        execution_options={"synchronize_session": False},
    )
    if changed is None:
        return False
    await session.refresh(row)
    return True


async def add(session: AsyncSession, rows: Sequence[dict[str, Any]]) -> list[UUID]:
    """Insert the notifications whose (alert, channel, occasion) was not told already; return their ids."""
    return [row.id for row in await inserted(session, Notification, rows)]


async def with_channel(session: AsyncSession, notification_id: UUID) -> tuple[Notification, Channel] | None:
    """Return a notification and where it goes."""
    wanted = select(Notification, Channel).join(Channel, Channel.id == Notification.channel_id)
    row = (await session.execute(wanted.where(Notification.id == notification_id))).one_or_none()
    return (row[0], row[1]) if row else None


async def settle(session: AsyncSession, notification_id: UUID, state: str, now: datetime, error: str) -> None:
    """Write down a try: `accepted`, `queued` (it will be tried again) or `dead`. What was accepted stays so."""
    tried = update(Notification).where(Notification.id == notification_id, Notification.state != "accepted")
    accepted_at = {"accepted_at": now} if state == "accepted" else {}
    values = {"state": state, "tries": Notification.tries + 1, "last_error": error, **accepted_at}
    await session.execute(tried.values(**values), execution_options={"synchronize_session": False})


def channels() -> Select[Channel]:
    """All channels."""
    return select(Channel)


def listed(*, alert: UUID | None, channel: UUID | None, state: str | None) -> Select[Notification]:
    """Notifications that fit every filter given."""
    wanted = select(Notification)
    if alert is not None:
        wanted = wanted.where(Notification.alert_id == alert)
    if channel is not None:
        wanted = wanted.where(Notification.channel_id == channel)
    if state is not None:
        wanted = wanted.where(Notification.state == state)
    return wanted
