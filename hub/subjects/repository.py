"""All SQL of subjects and their archives."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from hub.storage.upsert import insert_new
from hub.subjects.model import ArchiveEntry, Subject
from protocol.errors import RefusedRequestError

_AT_ONCE: Final = 1_000
"""Rows per statement: both databases take some 32,000 parameters."""


async def find(session: AsyncSession, subject_id: UUID) -> Subject:
    """Return a subject. Raises RefusedRequestError (404)."""
    subject = await session.get(Subject, subject_id)
    if subject is None:
        raise RefusedRequestError("subjects.unknown", f"no subject {subject_id}", status=404)
    return subject


async def with_uscc(session: AsyncSession, codes: Sequence[str]) -> set[str]:
    """Return which of these unified social credit codes are taken."""
    taken: set[str] = set()
    for start in range(0, len(codes), _AT_ONCE):
        some = codes[start : start + _AT_ONCE]
        taken.update(code for code in await session.scalars(select(Subject.uscc).where(Subject.uscc.in_(some))) if code)
    return taken


async def add_all(session: AsyncSession, subjects: Sequence[dict[str, Any]], entries: Sequence[dict[str, Any]]) -> None:
    """Insert new subjects, and the first lines of their archives. Raises RefusedRequestError when a code is taken."""
    with _taken_codes_refused():
        for start in range(0, len(subjects), _AT_ONCE):
            await session.execute(insert(Subject), subjects[start : start + _AT_ONCE])
    for start in range(0, len(entries), _AT_ONCE):
        await session.execute(insert(ArchiveEntry), entries[start : start + _AT_ONCE])


async def change(session: AsyncSession, subject: Subject, values: dict[str, Any]) -> bool:
    """Write new values over the version that was read; False when it was changed meanwhile.

    Raises RefusedRequestError when a code is taken.
    """
    mine = update(Subject).where(Subject.id == subject.id, Subject.version == subject.version)
    changes = mine.values(**values, version=Subject.version + 1).returning(Subject.id)
    with _taken_codes_refused():
        changed = await session.scalar(changes, execution_options={"synchronize_session": False})
    if changed is None:
        return False
    await session.refresh(subject)
    return True


async def placed(session: AsyncSession) -> list[tuple[UUID, float, float, str | None]]:
    """Return (id, latitude, longitude, grid) of every subject that has coordinates."""
    wanted = select(Subject.id, Subject.latitude, Subject.longitude, Subject.grid_id)
    rows = await session.execute(wanted.where(Subject.latitude.is_not(None), Subject.longitude.is_not(None)))
    return [(row.id, row.latitude, row.longitude, row.grid_id) for row in rows]


async def move(session: AsyncSession, subject_ids: Sequence[UUID], grid_id: str | None) -> None:
    """Put subjects into a grid, or into none."""
    for start in range(0, len(subject_ids), _AT_ONCE):
        some = subject_ids[start : start + _AT_ONCE]
        moved = update(Subject).where(Subject.id.in_(some)).values(grid_id=grid_id, version=Subject.version + 1)
        await session.execute(moved, execution_options={"synchronize_session": False})


async def add_entries(session: AsyncSession, entries: Sequence[dict[str, Any]]) -> int:
    """Write the archive lines whose (subject, kind, ref) is not written yet; return how many were new."""
    new = 0
    for start in range(0, len(entries), _AT_ONCE):
        new += await insert_new(session, ArchiveEntry, entries[start : start + _AT_ONCE])
    return new


def listed(
    *, grid: str | None, category: str | None, status: str | None, uscc: str | None, text: str | None
) -> Select[Subject]:
    """Subjects that fit every filter given; `text` is part of the name or address."""
    wanted = select(Subject)
    if grid is not None:
        wanted = wanted.where(Subject.grid_id == grid)
    if category is not None:
        wanted = wanted.where(Subject.category == category)
    if status is not None:
        wanted = wanted.where(Subject.status == status)
    if uscc is not None:
        wanted = wanted.where(Subject.uscc == uscc)
    if text is not None:
        wanted = wanted.where(
            Subject.name.icontains(text, autoescape=True) | Subject.address.icontains(text, autoescape=True)
        )
    return wanted


def archive_of(subject_id: UUID) -> Select[ArchiveEntry]:
    """The archive of one subject."""
    return select(ArchiveEntry).where(ArchiveEntry.subject_id == subject_id)


@contextmanager
def _taken_codes_refused() -> Iterator[None]:
    """Tell of a code that somebody else took between the look and the act."""
    try:
        yield
    except IntegrityError as error:
        raise RefusedRequestError("subjects.uscc_taken", "another subject took the USCC just now") from error
