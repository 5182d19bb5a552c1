"""Putting work off until after the commit, in the same transaction as the fact that asks for it.

    await enqueue(session, clock, "notification.deliver", dedupe_key=f"notification:{note_id}", payload={"id": note_id})

A job has its effect at least once, so what it does must bear to be done again.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from hub.jobs import repository
from protocol.clock import Clock


async def enqueue(
    session: AsyncSession,
    clock: Clock,
    kind: str,
    *,
    dedupe_key: str,
    payload: dict[str, Any],
    due_at: datetime | None = None,
) -> bool:
    """Add a job, due now unless said otherwise; tell whether it is new: one dedupe key is one job.

    It runs at least once after the caller commits, never if the caller does not. `payload` is JSON.
    """
    return await enqueue_all(session, clock, kind, {dedupe_key: payload}, due_at=due_at) == 1


async def enqueue_all(
    session: AsyncSession,
    clock: Clock,
    kind: str,
    payloads: Mapping[str, dict[str, Any]],
    *,
    due_at: datetime | None = None,
) -> int:
    """Add several jobs as `enqueue` does, by their dedupe keys; return how many are new."""
    now = clock.now()
    jobs: list[dict[str, Any]] = [
        {
            "id": clock.new_id(),
            "kind": kind,
            "dedupe_key": dedupe_key,
            "payload": payload,
            "created_at": now,
            "due_at": due_at or now,
            "tries": 0,
            "state": "waiting",
            "last_error": "",
        }
        for dedupe_key, payload in payloads.items()
    ]
    return await repository.add(session, jobs)
