"""Sealing the log: a signed checkpoint of what it holds, which nobody can take back."""

from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from hub.custody import repository, tree
from hub.custody.model import CustodyCheckpoint
from hub.custody.signing import Signer
from hub.custody.tree import Stretch
from hub.jobs.enqueueing import enqueue
from protocol import logs
from protocol.clock import Clock
from protocol.errors import PermanentError

log = logs.get(__name__)

STAMP: Final = "custody.stamp"


async def root(session: AsyncSession, size: int) -> bytes:
    """Return the root of the tree of the first `size` entries."""
    whole = Stretch(0, size)
    return tree.folded(whole, await repository.hashes(session, tree.covering(whole)))


async def checkpoint(session: AsyncSession, clock: Clock, signer: Signer) -> CustodyCheckpoint | None:
    """Return the checkpoint of the log as it is, signing it if it is new; None while the log is empty.

    Raises PermanentError when what was sealed before is not what the tables hold now: somebody changed them, and
    nothing more is signed.
    """
    size = await repository.size(session)
    sealed = await repository.newest_checkpoint(session)
    if sealed is not None and (sealed.size > size or await root(session, sealed.size) != sealed.root):
        log.critical("custody_log_was_changed", sealed=sealed.size, entries=size)
        raise PermanentError(f"the custody log is not the one that was sealed at {sealed.size} entries")
    if size == 0 or (sealed is not None and sealed.size == size):
        return sealed
    now = clock.now()
    value = await root(session, size)
    row = {"size": size, "root": value, "note": signer.sign(size, value), "signed_at": now}
    await repository.add_checkpoint(session, row)
    await enqueue(session, clock, STAMP, dedupe_key=f"{STAMP}:{size}", payload={"size": size})
    return await repository.checkpoint(session, size)
