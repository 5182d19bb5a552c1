"""Writing into a subject's archive: one timeline of everything that happened to it, never changed, never deleted.

    await archive.append(session, clock, subject_id, at=at, kind="alert.raised", summary=summary, ref=str(alert.id))

What is written twice is there once, so that a repeated effect leaves no second line.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from hub.subjects import repository
from protocol.clock import Clock


async def append(
    session: AsyncSession,
    clock: Clock,
    subject_id: UUID,
    *,
    at: datetime,
    kind: str,
    summary: str,
    ref: str,
    data: dict[str, Any] | None = None,
) -> bool:
    """Write one line, unless this (subject, kind, ref) is written already; tell whether it is new.

    `at` is when it happened, `ref` what it is about: an id, with the version that came of it for a change.
    """
    entry = {
        "subject_id": subject_id,
        "at": at,
        "kind": kind,
        "summary": summary[:1000],
        "ref": ref,
        "data": data or {},
        "written_at": clock.now(),
    }
    return await repository.add_entries(session, [entry]) == 1
