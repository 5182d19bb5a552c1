"""Bringing the tables to the newest version, once per start, in one transaction on both databases."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from hub.storage.database import Database
from hub.storage.failures import meaning
from protocol.errors import ConfigurationError, StoreUnavailableError

MIGRATIONS: Final = Path(__file__).parent / "migrations"
_ONE_AT_A_TIME: Final = 0x6469_7761_6E68


async def upgrade(database: Database, revision: str = "head") -> None:
    """Migrate up to `revision`. Several processes may start at once: one migrates, the others wait.

    Raises StoreUnavailableError when the database is away, and ConfigurationError when it holds what this version does
    not know: tables of a newer one, of somebody else, or no database at all. Nothing is changed then.
    """
    await _migrate(database, lambda config: command.upgrade(config, revision))


async def downgrade(database: Database, revision: str) -> None:
    """Migrate back down to `revision`, or `base` for nothing at all. What the dropped columns held is lost."""
    await _migrate(database, lambda config: command.downgrade(config, revision))


def alembic_config(connection: Connection) -> Config:
    """Return Alembic's settings for one connection; there is no ini file."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


async def _migrate(database: Database, act: Callable[[Config], Any]) -> None:
    with _translated():
        await _migrate_within(database, act)


async def _migrate_within(database: Database, act: Callable[[Config], Any]) -> None:
    async with database.engine.begin() as connection:
        if database.dialect == "postgresql":
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ONE_AT_A_TIME})
        await connection.run_sync(lambda sync: act(alembic_config(sync)))
        if database.dialect == "sqlite":
            dangling = (await connection.exec_driver_sql("PRAGMA foreign_key_check")).all()
            if dangling:
                raise ConfigurationError(f"after the migration {len(dangling)} rows would refer to nothing")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except CommandError as error:
        raise ConfigurationError(f"the tables are not of a version that this hub knows: {error}") from error
    except DBAPIError as error:
        meant = meaning(error)
        if isinstance(meant, StoreUnavailableError):
            raise meant from error
        raise ConfigurationError(f"the tables cannot be migrated: {error.orig}") from error
    except (PoolTimeoutError, OSError) as error:
        raise StoreUnavailableError(f"the database does not answer: {error}") from error
