"""Writing into a subject's archive: one timeline of everything that happened to it, never changed, never deleted.

    await archive.append(session, clock, subject_id, at=at, kind="alert.raised", summary=summary, ref=str(alert.id))

What is written twice is there once, so that a repeated effect leaves no second line.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from hub.subjects import repository
from protocol.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line. `at` is when it happened; `ref` is the id of what it is about, for a change with the version of it."""

    subject_id: UUID
    at: datetime
    kind: str
    summary: str
    ref: str
    data: dict[str, Any] = field(default_factory=dict)


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
    """Write one line, unless this (subject, kind, ref) is written already; tell whether it is new."""
    entry = Entry(subject_id=subject_id, at=at, kind=kind, summary=summary, ref=ref, data=data or {})
    return await append_all(session, clock, [entry]) == 1


async def append_all(session: AsyncSession, clock: Clock, entries: Sequence[Entry]) -> int:
    """Write the lines whose (subject, kind, ref) is not written already, in their order; return how many are new."""
    now = clock.now()
    rows = [
        {
            "subject_id": entry.subject_id,
            "at": entry.at,
            "kind": entry.kind,
            "summary": entry.summary[:1000],
            "ref": entry.ref,
            "data": entry.data,
            "written_at": now,
        }
        for entry in entries
    ]
    return await repository.add_entries(session, rows)
