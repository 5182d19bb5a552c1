"""Migrations on both databases: the tree makes exactly the tables of the code, and can be walked back."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, insert, inspect

from hub.accounts.model import SessionRow
from hub.storage import migrating
from hub.storage.database import Database, open_database
from hub.storage.tables import metadata
from protocol.clock import SystemClock
from protocol.errors import ConfigurationError
from tests.databases import fresh_postgresql


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


async def test_several_processes_may_start_at_once(postgresql: str) -> None:
    async with fresh_postgresql(postgresql) as url:
        workers = [open_database(url) for _ in range(4)]
        await asyncio.gather(*(migrating.upgrade(worker) for worker in workers))
        for worker in workers:
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
