"""Bringing the tables to the newest version, once per start, in one transaction on both databases."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from hub.storage.database import Database
from protocol.errors import ConfigurationError

MIGRATIONS: Final = Path(__file__).parent / "migrations"
_ONE_AT_A_TIME: Final = 0x6469_7761_6E68


async def upgrade(database: Database, revision: str = "head") -> None:
    """Migrate up to `revision`. Several processes may start at once: one migrates, the others wait."""
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
    async with database.engine.begin() as connection:
        if database.dialect == "postgresql":
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ONE_AT_A_TIME})
        await connection.run_sync(lambda sync: act(alembic_config(sync)))
        if database.dialect == "sqlite":
            dangling = (await connection.exec_driver_sql("PRAGMA foreign_key_check")).all()
            if dangling:
                raise ConfigurationError(f"after the migration {len(dangling)} rows would refer to nothing")
