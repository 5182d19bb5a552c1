"""The relational store on both databases: transactions, failures, and that nothing naive or half is stored."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError, StatementError

from hub.accounts.model import ApiKeyRow, SessionRow
from hub.storage.database import Database, open_database
from hub.storage.upsert import insert_new
from protocol.errors import ConfigurationError, RefusedRequestError, StoreUnavailableError

AT = datetime(2026, 11, 24, 8, 0, 0, 123456, tzinfo=UTC)


def a_key(key_id: str = "0123456789ab", *, name: str = "key", created_at: datetime = AT) -> ApiKeyRow:
    return ApiKeyRow(id=key_id, name=name, digest=b"x" * 32, scopes=["admin"], created_at=created_at)


async def count(database: Database) -> int:
    async with database.read() as session:
        return await session.scalar(select(func.count()).select_from(ApiKeyRow)) or 0


async def test_what_is_committed_is_read_back_the_same(database: Database) -> None:
    local = AT.astimezone(timezone(timedelta(hours=8)))
    async with database.write() as session:
        session.add(a_key(name="钥匙 🔑", created_at=local))
    async with database.read() as session:
        row = (await session.scalars(select(ApiKeyRow))).one()
    assert (row.name, row.created_at, row.created_at.tzinfo, row.scopes) == ("钥匙 🔑", AT, UTC, ["admin"])


async def test_a_block_that_fails_leaves_nothing(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the block is what is tested
        async with database.write() as session:
            session.add(a_key())
            await session.flush()
            _ = 1 // 0
    assert await count(database) == 0


async def test_a_naive_time_is_refused(database: Database) -> None:
    with pytest.raises(StatementError, match="zone"):
        async with database.write() as session:
            session.add(a_key(created_at=AT.replace(tzinfo=None)))


async def test_listeners_hear_of_commits_only(database: Database) -> None:
    heard: list[int] = []
    database.on_commit(lambda: heard.append(1))
    with pytest.raises(ZeroDivisionError):
        async with database.write():
            _ = 1 // 0
    assert not heard
    async with database.write() as session:
        session.add(a_key())
    assert heard == [1]


async def test_reading_sessions_cannot_write(database: Database) -> None:
    async with database.read() as session:
        session.add(a_key())
        with pytest.raises(DBAPIError, match="read"):
            await session.flush()


async def test_broken_rules_of_the_tables_are_refusals(database: Database) -> None:
    async with database.write() as session:
        session.add(a_key())
    with pytest.raises(RefusedRequestError, match="exists already"):
        async with database.write() as session:
            session.add(a_key())
    with pytest.raises(RefusedRequestError, match="refers"):
        async with database.write() as session:
            session.add(SessionRow(digest=b"y" * 32, key_id="nobody", opened_at=AT, expires_at=AT))
    assert await count(database) == 1


async def test_only_new_rows_are_inserted(database: Database) -> None:
    rows = [{"id": f"{n:012x}", "name": "n", "digest": b"", "scopes": [], "created_at": AT} for n in range(3)]
    async with database.write() as session:
        assert await insert_new(session, ApiKeyRow, rows[:1]) == 1
        assert await insert_new(session, ApiKeyRow, rows) == 2
        assert await insert_new(session, ApiKeyRow, []) == 0


async def test_a_hundred_read_then_write_transactions_all_succeed(database: Database) -> None:
    """With SQLite's deferred BEGIN most of these fail at once with "database is locked"."""
    async with database.write() as session:
        session.add(a_key(name="0"))

    async def count_up() -> None:
        async with database.write() as session:
            row = (await session.scalars(select(ApiKeyRow).with_for_update())).one()
            row.name = str(int(row.name) + 1)

    await asyncio.gather(*(count_up() for _ in range(100)))
    async with database.read() as session:
        assert await session.scalar(select(ApiKeyRow.name)) == "100"


async def test_a_lost_connection_is_a_store_that_is_away(postgresql: str) -> None:
    database = open_database(postgresql)
    try:
        with pytest.raises(StoreUnavailableError):
            async with database.write() as session:
                await session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        await database.ping()
    finally:
        await database.close()


@pytest.mark.parametrize(
    "url", ["postgresql://diwang@127.0.0.1:1/hub", "postgresql://diwang@/hub?host=/nowhere", "sqlite:////nowhere/a.db"]
)
async def test_a_database_that_is_not_there_is_away(url: str) -> None:
    database = open_database(url)
    with pytest.raises(StoreUnavailableError):
        await database.ping()
    with pytest.raises(StoreUnavailableError):
        async with database.write():
            pass
    await database.close()


async def test_a_full_disk_is_a_store_that_is_away_and_loses_nothing(sqlite_database: Database) -> None:
    async with sqlite_database.write() as session:
        session.add(a_key())
        await session.flush()
        pages = await session.scalar(text("PRAGMA page_count"))
    async with sqlite_database.write() as session:
        await session.execute(text(f"PRAGMA max_page_count={pages}"))
    with pytest.raises(StoreUnavailableError, match="full"):
        async with sqlite_database.write() as session:
            session.add_all(a_key(f"{n:012x}", name="n" * 200) for n in range(500))
    assert await count(sqlite_database) == 1


@pytest.mark.parametrize("url", ["mysql://a/b", "not a url", "sqlite://"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="sqlite:///"):
        open_database(url)


def test_a_password_is_not_told() -> None:
    with pytest.raises(ConfigurationError) as refused:
        open_database("oracle://user:hunter2@host/db")
    assert "hunter2" not in str(refused.value)


async def test_two_processes_may_write_one_sqlite(sqlite_database: Database, tmp_path: Path) -> None:
    """The command line changes keys while the hub runs."""
    other = open_database(f"sqlite:///{tmp_path / 'test.db'}")
    try:

        async def add(database: Database, first: int) -> None:
            for n in range(first, first + 10):
                async with database.write() as session:
                    session.add(a_key(f"{n:012x}"))

        await asyncio.gather(add(sqlite_database, 0), add(other, 10))
        assert await count(sqlite_database) == 20
    finally:
        await other.close()
