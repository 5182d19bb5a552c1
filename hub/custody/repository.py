"""All SQL of the custody log."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.custody.model import CustodyCheckpoint, CustodyEntry, CustodyLog, CustodyNode
from hub.custody.tree import Node
from hub.storage.portions import portions
from hub.storage.upsert import insert_new
from protocol.errors import RefusedRequestError

_THE_LOG: Final = 1


async def take_place(session: AsyncSession) -> int:
    """Return the number of the next entry and keep others from appending until the transaction ends."""
    longer = update(CustodyLog).where(CustodyLog.id == _THE_LOG).values(size=CustodyLog.size + 1)
    size = await session.scalar(longer.returning(CustodyLog.size))
    if size is None:
        await insert_new(session, CustodyLog, [{"id": _THE_LOG, "size": 0}])
        size = await session.scalar(longer.returning(CustodyLog.size))
    return (size or 1) - 1


async def size(session: AsyncSession) -> int:
    """Return how many entries there are."""
    return await session.scalar(select(CustodyLog.size).where(CustodyLog.id == _THE_LOG)) or 0


async def add(session: AsyncSession, entry: CustodyEntry, nodes: dict[Node, bytes]) -> None:
    """Append an entry and the nodes that it completes."""
    session.add(entry)
    session.add_all(CustodyNode(level=node.level, place=node.place, hash=value) for node, value in nodes.items())
    await session.flush()


async def hashes(session: AsyncSession, nodes: Collection[Node]) -> dict[Node, bytes]:
    """Return the hashes of these nodes."""
    found: dict[Node, bytes] = {}
    for some in portions(sorted(set(nodes))):
        rows = await session.scalars(
            select(CustodyNode).where(tuple_(CustodyNode.level, CustodyNode.place).in_([tuple(each) for each in some]))
        )
        found.update({Node(row.level, row.place): row.hash for row in rows})
    return found


async def entry(session: AsyncSession, number: int) -> CustodyEntry:
    """Return an entry. Raises RefusedRequestError (404)."""
    found = await session.get(CustodyEntry, number)
    if found is None:
        raise RefusedRequestError("custody.unknown", f"the custody log has no entry {number}", status=404)
    return found


async def of_item(session: AsyncSession, item: str) -> Sequence[CustodyEntry]:
    """Return every entry about a piece of evidence, in order."""
    wanted = select(CustodyEntry).where(CustodyEntry.item == item).order_by(CustodyEntry.number)
    return (await session.scalars(wanted)).all()


async def newest_checkpoint(session: AsyncSession) -> CustodyCheckpoint | None:
    """Return the checkpoint of the most entries."""
    return await session.scalar(select(CustodyCheckpoint).order_by(CustodyCheckpoint.size.desc()).limit(1))


async def checkpoint_covering(session: AsyncSession, number: int, *, stamped: bool) -> CustodyCheckpoint | None:
    """Return the earliest checkpoint that holds an entry, of those with a time stamp when `stamped`."""
    wanted = select(CustodyCheckpoint).where(CustodyCheckpoint.size > number)
    if stamped:
        wanted = wanted.where(CustodyCheckpoint.stamp.is_not(None))
    return await session.scalar(wanted.order_by(CustodyCheckpoint.size).limit(1))


async def add_checkpoint(session: AsyncSession, row: dict[str, Any]) -> None:
    """Keep a signed checkpoint, unless there is one of the same size."""
    await insert_new(session, CustodyCheckpoint, [row])


async def checkpoint(session: AsyncSession, of_size: int) -> CustodyCheckpoint | None:
    """Return the checkpoint of a size."""
    return await session.get(CustodyCheckpoint, of_size)


async def keep_stamp(session: AsyncSession, of_size: int, stamp: bytes, at: datetime) -> None:
    """Put a time stamp to a checkpoint that has none."""
    unstamped = update(CustodyCheckpoint).where(CustodyCheckpoint.size == of_size, CustodyCheckpoint.stamp.is_(None))
    await session.execute(unstamped.values(stamp=stamp, stamped_at=at))


def entries(*, item: str | None, kind: str | None) -> Select[CustodyEntry]:
    """Entries that fit every filter given."""
    wanted = select(CustodyEntry)
    if item is not None:
        wanted = wanted.where(CustodyEntry.item == item)
    if kind is not None:
        wanted = wanted.where(CustodyEntry.kind == kind)
    return wanted


def checkpoints() -> Select[CustodyCheckpoint]:
    """All checkpoints."""
    return select(CustodyCheckpoint)
