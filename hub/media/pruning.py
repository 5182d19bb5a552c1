"""Forgetting pictures that nothing refers to: no event, no anomaly and so no alert, no complaint, no register."""

from datetime import datetime
from typing import Final

from hub.media import repository
from hub.media.store import MediaStore
from hub.storage.database import Database
from protocol import logs

log = logs.get(__name__)

_AT_ONCE: Final = 200


async def prune(database: Database, media: MediaStore, before: datetime) -> int:
    """Forget what was received before then and is not referred to; return how many. Raises StoreUnavailableError.

    Of each picture the bytes go first and its row last: after a crash in between, the next time ends it.
    """
    gone = 0
    while True:
        async with database.write() as session:
            names = await repository.unreferred(session, before, _AT_ONCE)
            for sha256 in names:
                await media.remove(sha256)
            await repository.forget(session, names)
        gone += len(names)
        if len(names) < _AT_ONCE:
            log.info("media_pruned", pictures=gone)
            return gone
