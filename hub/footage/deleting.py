"""Deleting footage when its time is over: never what somebody holds, and never without a trace that proves it."""

import asyncio
from datetime import datetime
from typing import Final
from uuid import UUID

from hub.custody import recording as custody
from hub.custody.checkpointing import checkpoint
from hub.custody.signing import Signer
from hub.footage import repository
from hub.footage.retention import CATEGORIES, kept_for
from hub.footage.settings import FootageSection
from hub.footage.store import FootageFolder
from hub.storage.database import Database
from protocol import logs
from protocol.clock import Clock

log = logs.get(__name__)

_AT_ONCE: Final = 100


async def delete_overdue(
    database: Database, store: FootageFolder, clock: Clock, signer: Signer, settings: FootageSection
) -> int:
    """Delete what its category no longer keeps; return how many clips. Raises StoreUnavailableError.

    Each leaves an entry in the custody log, and the log is sealed afterwards: that is its certificate of deletion.
    """
    gone = 0
    for category in CATEGORIES:
        before = clock.now() - kept_for(category, settings.keep_days)
        while True:
            async with database.read() as session:
                due = await repository.deletable(session, category, before, _AT_ONCE)
            for footage_id in due:
                gone += await _delete(database, store, clock, footage_id, category=category, received_before=before)
            if len(due) < _AT_ONCE:
                break
    if gone:
        async with database.write() as session:
            await checkpoint(session, clock, signer)
        log.info("footage_deleted", clips=gone)
    return gone


async def _delete(
    database: Database,
    store: FootageFolder,
    clock: Clock,
    footage_id: UUID,
    *,
    category: str,
    received_before: datetime,
) -> bool:
    """Delete one clip, unless it is held or was given another category meanwhile.

    The bytes go first and the word that they are gone last: after a crash in between, the next time ends it. While the
    row is held nobody can set a hold.
    """
    async with database.write() as session:
        row = await repository.find(session, footage_id, hold=True)
        due = row.state == "kept" and row.category == category
        if not due or row.received_at is None or row.received_at >= received_before:
            return False
        if await repository.is_held(session, footage_id):
            return False
        await asyncio.to_thread(store.remove, row.sha256)
        row.state, row.deleted_at = "deleted", clock.now()
        row.version += 1
        await session.flush()
        data = {
            "size": row.size,
            "sm3": row.sm3,
            "category": category,
            "article": CATEGORIES[category].article,
            "received_at": row.received_at.isoformat(),
        }
        await custody.append(session, clock, kind="footage.deleted", item=row.sha256, by="hub", data=data)
        return True
