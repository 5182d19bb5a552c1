"""`python -m hub.storage.revise "message"`: write the next migration from the difference to the tables in the code."""

import asyncio
import sys
import tempfile
from pathlib import Path

from alembic import command

from hub.storage import migrating
from hub.storage.database import open_database


async def revise(message: str) -> None:
    """Bring an empty SQLite to the newest migration, compare it with the tables, and write what is missing."""
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(f"sqlite:///{Path(folder) / 'empty.db'}")
        try:
            await migrating.upgrade(database)
            async with database.engine.connect() as connection:
                await connection.run_sync(
                    lambda sync: command.revision(
                        migrating.alembic_config(sync), message, autogenerate=True, rev_id=_next_revision()
                    )
                )
        finally:
            await database.close()


def _next_revision() -> str:
    return f"{len(list((migrating.MIGRATIONS / 'versions').glob('*.py'))) + 1:04}"


if __name__ == "__main__":
    asyncio.run(revise(sys.argv[1]))
