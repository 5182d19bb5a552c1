"""All SQL of live updates."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import delete, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.storage.upsert import is_postgresql
from hub.stream.model import StreamEventRow

_ORDER_OF_COMMITS: Final = 0x6469_7761_6E67
"""Advisory lock: on PostgreSQL ids are given before the commit, so appending transactions take turns."""


async def append(session: AsyncSession, at: datetime, updates: Sequence[tuple[str, dict[str, Any]]]) -> None:
    """Add updates, each a kind and its data, to the caller's transaction, in their order."""
    if not updates:
        return
    if is_postgresql(session):
        await session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ORDER_OF_COMMITS})
    rows = [{"at": at, "kind": kind, "data": data} for kind, data in updates]
    await (await session.connection()).execute(insert(StreamEventRow), rows)


async def newest(session: AsyncSession) -> int:
    """Return the id of the newest update, 0 when there is none."""
    return await session.scalar(select(func.max(StreamEventRow.id))) or 0


async def oldest(session: AsyncSession) -> int:
    """Return the id of the oldest update that is still kept, 0 when there is none."""
    return await session.scalar(select(func.min(StreamEventRow.id))) or 0


async def after(session: AsyncSession, event_id: int, limit: int) -> list[StreamEventRow]:
    """Return the oldest `limit` updates that follow `event_id`."""
    wanted = select(StreamEventRow).where(StreamEventRow.id > event_id)
    return list(await session.scalars(wanted.order_by(StreamEventRow.id).limit(limit)))


async def between(
    session: AsyncSession, after_id: int, last_id: int, limit: int, kinds: Collection[str] | None
) -> list[StreamEventRow]:
    """Return the oldest `limit` updates with after_id < id <= last_id, of the kinds asked for."""
    wanted = select(StreamEventRow).where(StreamEventRow.id > after_id, StreamEventRow.id <= last_id)
    if kinds is not None:
        wanted = wanted.where(StreamEventRow.kind.in_(kinds))
    return list(await session.scalars(wanted.order_by(StreamEventRow.id).limit(limit)))


async def forget(session: AsyncSession, before: datetime) -> None:
    """Delete old updates, but never the newest: ids would seem to start anew."""
    older = StreamEventRow.id < select(func.max(StreamEventRow.id)).scalar_subquery()
    await session.execute(delete(StreamEventRow).where(StreamEventRow.at < before, older))
