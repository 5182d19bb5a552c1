"""Migrations on both databases: the tree makes exactly the tables of the code, and can be walked back."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, insert, inspect, text

from hub.accounts.model import SessionRow
from hub.storage import migrating
from hub.storage.database import Database, open_database
from hub.storage.tables import metadata
from protocol.clock import SystemClock
from protocol.errors import ConfigurationError, StoreUnavailableError
from tests.databases import fresh_postgresql
from tests.simulators.ports import free_port


def differences(connection: Connection) -> list[Any]:
    return list(compare_metadata(MigrationContext.configure(connection), metadata))


def tables(connection: Connection) -> Iterable[str]:
    return set(inspect(connection).get_table_names()) - {"alembic_version"}


async def test_the_tree_makes_the_tables_of_the_code(empty_database: Database) -> None:
    await migrating.upgrade(empty_database)
    async with empty_database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []
        assert await connection.run_sync(tables) == set(metadata.tables)


async def test_it_can_be_walked_back_and_forth(empty_database: Database) -> None:
    await migrating.upgrade(empty_database)
    await migrating.downgrade(empty_database, "base")
    async with empty_database.engine.connect() as connection:
        assert await connection.run_sync(tables) == set()
    await migrating.upgrade(empty_database)
    await migrating.upgrade(empty_database)
    async with empty_database.engine.connect() as connection:
        assert await connection.run_sync(tables) == set(metadata.tables)


async def test_several_processes_may_start_at_once(postgresql: str) -> None:
    async with fresh_postgresql(postgresql) as url:
        workers = [open_database(url) for _ in range(4)]
        await asyncio.gather(*(migrating.upgrade(worker) for worker in workers))
        for worker in workers:
            async with worker.engine.connect() as connection:
                assert await connection.run_sync(tables) == set(metadata.tables)
            await worker.close()


async def test_rows_that_would_refer_to_nothing_stop_the_migration(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'hub.db'}")
    try:
        await migrating.upgrade(database)
        async with database.engine.begin() as connection:
            row = {
                "digest": b"x",
                "key_id": "nobody",
                "opened_at": SystemClock().now(),
                "expires_at": SystemClock().now(),
            }
            await connection.execute(insert(SessionRow).values(row))
        with pytest.raises(ConfigurationError, match="refer to nothing"):
            await migrating.upgrade(database)
    finally:
        await database.close()


async def test_a_database_of_a_newer_hub_is_left_alone(empty_database: Database) -> None:
    await migrating.upgrade(empty_database)
    async with empty_database.write() as session:
        await session.execute(text("UPDATE alembic_version SET version_num = 'from_tomorrow'"))
    with pytest.raises(ConfigurationError, match="not of a version that this hub knows"):
        await migrating.upgrade(empty_database)


async def test_a_migration_that_breaks_off_leaves_nothing_and_says_why(empty_database: Database) -> None:
    async with empty_database.write() as session:
        await session.execute(text("CREATE TABLE job (id INTEGER)"))
    with pytest.raises(ConfigurationError, match="cannot be migrated"):
        await migrating.upgrade(empty_database)
    async with empty_database.write() as session:
        await session.execute(text("DROP TABLE job"))
    await migrating.upgrade(empty_database)


async def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "hub.db").write_bytes(b"these are my notes, not your database\n" * 100)
    database = open_database(f"sqlite:///{tmp_path / 'hub.db'}")
    with pytest.raises(ConfigurationError, match="not a database"):
        await migrating.upgrade(database)
    await database.close()


async def test_a_server_that_is_away(tmp_path: Path) -> None:
    port = free_port()
    for url in (f"postgresql://diwang@127.0.0.1:{port}/x", f"sqlite:///{tmp_path / 'no such folder' / 'hub.db'}"):
        database = open_database(url)
        with pytest.raises(StoreUnavailableError):
            await migrating.upgrade(database)
        await database.close()
