"""Opening the relational store, and the two ways to use it: a write transaction, or a read.

On SQLite there is one connection that writes (BEGIN IMMEDIATE, WAL, synchronous FULL) and a few that read, all through
a SQLite that has the WAL-reset fix (3.51.3 or later): older ones can lose commits when connections race a checkpoint.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

import aiosqlite
from pysqlite3 import dbapi2 as sqlite
from sqlalchemy import event, text
from sqlalchemy.dialects.sqlite.aiosqlite import AsyncAdapt_aiosqlite_dbapi
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from protocol.errors import ConfigurationError, StoreUnavailableError

WAL_RESET_FIXED: Final = (3, 51, 3)
BUSY_TIMEOUT_S: Final = 10.0


class Database:
    """The relational store of one hub process."""

    def __init__(self, writer: AsyncEngine, reader: AsyncEngine, *, one_writer: bool) -> None:
        self._writer = writer
        self._reader = reader
        self._turn = asyncio.Lock() if one_writer else None
        self._listeners: list[Callable[[], None]] = []

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._writer.dialect.name

    @property
    def engine(self) -> AsyncEngine:
        """The engine that writes, for migrations."""
        return self._writer

    def on_commit(self, listener: Callable[[], None]) -> None:
        """Call `listener` after every committed write of this process, on the event loop; it must not block."""
        self._listeners.append(listener)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """One transaction: commits when the block ends, rolls back when it raises.

        Raises StoreUnavailableError when the database is away, locked for too long, or its disk is full.
        """
        async with self._turn or nullcontext():
            try:
                async with AsyncSession(self._writer, expire_on_commit=False) as session, session.begin():
                    yield session
            except DBAPIError as error:
                raise _translated(error) from error
        for listener in self._listeners:
            listener()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A session that sees committed data and writes nothing."""
        try:
            async with AsyncSession(self._reader, expire_on_commit=False) as session:
                yield session
        except DBAPIError as error:
            raise _translated(error) from error

    async def ping(self) -> None:
        """Raise StoreUnavailableError unless the database answers."""
        async with self.read() as session:
            await session.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Close every connection."""
        await self._reader.dispose()
        if self._reader is not self._writer:
            await self._writer.dispose()


def open_database(url: str) -> Database:
    """Open `sqlite:///relative.db`, `sqlite:////absolute.db` or `postgresql://user@host/name`. Connects on first use."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        path = Path(parsed.database)
        return Database(_sqlite(path, connections=1), _sqlite(path, connections=4, writes=False), one_writer=True)
    if parsed.get_backend_name() == "postgresql":
        engine = create_async_engine(parsed.set(drivername="postgresql+asyncpg"), pool_pre_ping=True, pool_size=10)
        return Database(engine, engine, one_writer=False)
    raise ConfigurationError(f"no database for {parsed.render_as_string()!r}: use sqlite:///file or postgresql://…")


def _translated(error: DBAPIError) -> Exception:
    """Tell a store that is away from a statement that is wrong."""
    away = error.connection_invalidated or isinstance(error.orig, ConnectionError | TimeoutError)
    full_or_locked = any(words in str(error.orig) for words in ("database is locked", "disk is full", "disk I/O error"))
    if away or full_or_locked or type(error).__name__ in {"OperationalError", "InterfaceError"}:
        return StoreUnavailableError(str(error.orig))
    return error


def _sqlite(path: Path, *, connections: int, writes: bool = True) -> AsyncEngine:
    if sqlite.sqlite_version_info < WAL_RESET_FIXED:
        raise ConfigurationError(
            f"SQLite {sqlite.sqlite_version} can lose commits in WAL mode; 3.51.3 or later is needed"
        )

    async def connect() -> aiosqlite.Connection:
        def connector() -> Any:  # noqa: ANN401 - a connection of another SQLite than the standard library's
            return sqlite.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)

        return await aiosqlite.Connection(connector, iter_chunk_size=64)

    engine = create_async_engine(
        "sqlite+aiosqlite://",
        module=AsyncAdapt_aiosqlite_dbapi(aiosqlite, sqlite),
        async_creator=connect,
        poolclass=AsyncAdaptedQueuePool,
        pool_size=connections,
        max_overflow=0,
        pool_reset_on_return="rollback",
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _prepare(connection: Any, _: object) -> None:  # noqa: ANN401 - SQLAlchemy's adapted connection
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Any) -> None:  # noqa: ANN401 - as above
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN DEFERRED")

    return engine
