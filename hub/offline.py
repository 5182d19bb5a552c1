"""The hub's database for the operator of the machine, who acts on the spot, whether the hub runs or not."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncSession

from hub import data_folder
from hub.config import HubConfig, read_secrets
from hub.storage import migrating
from hub.storage.database import open_database


@asynccontextmanager
async def writing(config: HubConfig) -> AsyncIterator[AsyncSession]:
    """Open the database, made and migrated as a start of the hub would, for one write transaction.

    Raises ConfigurationError for a folder or a database that is none, StoreUnavailableError when it is away.
    """
    data_folder.make(config.data)
    database = open_database(config.database_url, read_secrets().database_password.get_secret_value())
    try:
        await migrating.upgrade(database)
        async with database.write() as session:
            yield session
    finally:
        await database.close()
