"""Walking a list by its cursors gives every row once and in order, whatever lies in it and whatever is sent."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from hub.accounts.model import ApiKeyRow
from hub.api.paging import MAX_LIMIT, Paging
from hub.storage.database import Database, open_database
from protocol.errors import RefusedRequestError
from tests.databases import create_tables
from tests.serving import Api

AT = datetime(2026, 11, 24, 8, tzinfo=UTC)
NEWEST_FIRST = (ApiKeyRow.created_at.desc(), ApiKeyRow.name, ApiKeyRow.id.desc())


@dataclass(frozen=True)
class Entry:
    """A row to page through: many share their time or their name."""

    second: int
    name: str


ENTRIES = st.lists(
    st.builds(Entry, st.integers(-2, 2), st.text(alphabet="a~Ä 镇'\u200b\n", min_size=1, max_size=2)), max_size=25
)


async def fill(database: Database, entries: Sequence[Entry]) -> None:
    async with database.write() as session:
        session.add_all(
            ApiKeyRow(
                id=f"{n:012x}",
                name=entry.name,
                digest=b"",
                scopes=[],
                created_at=AT + timedelta(seconds=entry.second, microseconds=1),
            )
            for n, entry in enumerate(entries)
        )


async def walk(database: Database, limit: int) -> list[str]:
    found: list[str] = []
    cursor = None
    while True:
        async with database.read() as session:
            page = await Paging(limit, cursor).page(session, select(ApiKeyRow), NEWEST_FIRST, lambda row: row.id)
        assert len(page.items) <= limit
        found += page.items
        cursor = page.next
        if cursor is None:
            return found
        assert len(page.items) == limit


async def in_order(database: Database) -> list[str]:
    async with database.read() as session:
        return list(await session.scalars(select(ApiKeyRow.id).order_by(*NEWEST_FIRST)))


@asynccontextmanager
async def fresh() -> AsyncIterator[Database]:
    with TemporaryDirectory() as folder:
        database = open_database(f"sqlite:///{Path(folder) / 'test.db'}")
        try:
            await create_tables(database)
            yield database
        finally:
            await database.close()


@settings(max_examples=20, deadline=None)
@given(entries=ENTRIES, limit=st.integers(1, 9))
def test_every_row_once_and_in_order(entries: list[Entry], limit: int) -> None:
    async def check() -> None:
        async with fresh() as database:
            await fill(database, entries)
            assert await walk(database, limit) == await in_order(database)

    asyncio.run(check())


async def test_the_same_on_both_databases(database: Database) -> None:
    await fill(database, [Entry(n % 3, "AbÄ镇~"[n % 5]) for n in range(40)])
    assert await walk(database, 7) == await in_order(database)


async def test_rows_that_come_and_go_between_pages_do_not_disturb(sqlite_database: Database) -> None:
    await fill(sqlite_database, [Entry(n, "n") for n in range(6)])
    async with sqlite_database.read() as session:
        first = await Paging(3).page(session, select(ApiKeyRow), NEWEST_FIRST, lambda row: row.id)
    async with sqlite_database.write() as session:
        await session.delete(await session.get_one(ApiKeyRow, first.items[-1]))
        session.add(ApiKeyRow(id="new", name="n", digest=b"", scopes=[], created_at=AT + timedelta(hours=1)))
    async with sqlite_database.read() as session:
        second = await Paging(3, first.next).page(session, select(ApiKeyRow), NEWEST_FIRST, lambda row: row.id)
    assert second.items == [f"{n:012x}" for n in (2, 1, 0)]


def written(*keys: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(keys).encode()).decode().rstrip("=")


@settings(max_examples=200, deadline=None)
@given(
    cursor=st.one_of(
        st.text(max_size=40),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.datetimes().map(str),
            lambda inner: st.lists(inner, max_size=4),
            max_leaves=6,
        ).map(lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).decode()),
    )
)
def test_a_forged_cursor_is_refused_or_harmless(cursor: str) -> None:
    with suppress(RefusedRequestError):
        narrowed = Paging(10, cursor).following(select(ApiKeyRow), NEWEST_FIRST)
        assert narrowed.whereclause is not None


@pytest.mark.parametrize(
    "cursor",
    [
        written(),
        written("2026-11-24T08:00:00+00:00", "a"),
        written("2026-11-24T08:00:00", "a", "b"),
        written("0001-01-01T00:00:00+14:00", "a", "b"),
        written("2026-11-24T08:00:00+00:00", "\x00", "b"),
        written("2026-11-24T08:00:00+00:00", 1, "b"),
        "[" * 1000,
        base64.urlsafe_b64encode(b"[" * 1400).decode(),
        "é",
        written("2026-11-24T08:00:00+00:00", "\ud800", "b"),
    ],
)
def test_cursors_of_other_lists_are_refused(cursor: str) -> None:
    with pytest.raises(RefusedRequestError, match="not one that this list gave"):
        Paging(10, cursor).following(select(ApiKeyRow), NEWEST_FIRST)


async def test_a_page_is_bounded(api: Api) -> None:
    for limit in (0, -1, MAX_LIMIT + 1, "many"):
        assert (await api.get("/api/v1/api-keys", params={"limit": limit})).status_code == 422
    assert (await api.get("/api/v1/api-keys", params={"limit": MAX_LIMIT})).status_code == 200
    refused = await api.get("/api/v1/api-keys", params={"cursor": str(UUID(int=1))})
    assert (refused.status_code, refused.json()["rule"]) == (400, "paging.bad_cursor")
