"""Entering recalls, one or many, and withdrawing them. The caller commits."""

import hashlib
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from hub.recalls import applying, repository
from hub.recalls.matching import GTIN_DIGITS, item_of
from hub.recalls.model import Recall
from hub.recalls.schemas import RecallIn
from protocol.clock import Clock
from protocol.errors import RefusedRequestError

_EXTENT = ("gtin", "batch", "batch_from", "batch_to", "produced_from", "produced_to", "document")


async def enter(session: AsyncSession, clock: Clock, recall: RecallIn, *, by: str) -> Recall:
    """Enter a recall; what was scanned before is looked through after the commit.

    Raises RefusedRequestError (409, `recalls.exists`) when the same document recalls the same already.
    """
    new = await enter_all(session, clock, [recall], by=by)
    if not new:
        raise RefusedRequestError("recalls.exists", f"{recall.document} recalls the same already")
    return await repository.find(session, new[0])


async def enter_all(session: AsyncSession, clock: Clock, recalls: Sequence[RecallIn], *, by: str) -> list[UUID]:
    """Enter recalls as `enter` does, save those that are there already; return the ids of the new ones."""
    rows = {row["digest"]: row for row in (_row(clock, each, by) for each in recalls)}
    new = sorted(await repository.add_new(session, list(rows.values())))
    for recall_id in new:
        await applying.ask(session, clock, recall_id, version=1)
    return new


async def withdraw(session: AsyncSession, clock: Clock, recall: Recall, reason: str) -> None:
    """Withdraw a recall; what it found is taken back after the commit. A withdrawn one stays as it is."""
    if recall.withdrawn_at is not None:
        return
    recall.withdrawn_at = clock.now()
    recall.withdrawn_because = reason
    recall.version += 1
    await applying.ask(session, clock, recall.id, recall.version)


def _row(clock: Clock, recall: RecallIn, by: str) -> dict[str, Any]:
    fields = recall.model_dump() | {"gtin": recall.gtin.zfill(GTIN_DIGITS)}
    extent = "\n".join(str(fields[name]) for name in _EXTENT)
    return fields | {
        "id": clock.new_id(),
        "digest": hashlib.sha256(extent.encode()).hexdigest(),
        "item": item_of(recall.gtin),
        "created_at": clock.now(),
        "created_by": by,
        "withdrawn_because": "",
        "version": 1,
    }
