"""Opening the relational store, and the two ways to use it: a write transaction, or a read.

On SQLite there is one connection that writes (BEGIN IMMEDIATE, WAL, synchronous FULL) and a few that read, all through
a SQLite that has the WAL-reset fix (3.51.3 or later): older ones can lose commits when connections race a checkpoint.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from threading import Thread
from typing import Any, Final
from weakref import WeakSet

import aiosqlite
from pysqlite3 import dbapi2 as sqlite
from sqlalchemy import event, text
from sqlalchemy.dialects.sqlite.aiosqlite import AsyncAdapt_aiosqlite_dbapi
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from hub.storage.failures import meaning
from protocol.errors import ConfigurationError, StoreUnavailableError

WAL_RESET_FIXED: Final = (3, 51, 3)
BUSY_TIMEOUT_S: Final = 10.0
CLOSED_WITHIN_S: Final = 2.0


class Database:
    """The relational store of one hub process."""

    def __init__(
        self, writer: AsyncEngine, reader: AsyncEngine, migrator: AsyncEngine, threads: Collection[Thread] = ()
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._migrator = migrator
        self._turn = asyncio.Lock() if writer is not reader else None
        self._threads = threads
        self._listeners: list[Callable[[], None]] = []

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._writer.dialect.name

    @property
    def engine(self) -> AsyncEngine:
        """The engine for migrations. On SQLite it does not enforce foreign keys: a table is rebuilt by dropping it."""
        return self._migrator

    def on_commit(self, listener: Callable[[], None]) -> None:
        """Call `listener` after every committed write of this process, on the event loop; it must not block."""
        self._listeners.append(listener)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """One transaction: commits when the block ends, rolls back when it raises.

        Raises StoreUnavailableError when the database is away, locked for too long, or its disk is full, and
        RefusedRequestError when the block breaks a unique or foreign key, or stores what the database cannot hold.
        """
        async with self._turn or nullcontext(), _session(self._writer) as session:
            yield session
            await session.commit()
        for listener in self._listeners:
            listener()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A session that sees committed data; writing through it fails."""
        async with _session(self._reader, postgresql_readonly=True) as session:
            yield session

    async def ping(self) -> None:
        """Raise StoreUnavailableError unless the database answers."""
        async with self.read() as session:
            await session.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Close every connection, and wait for the threads that served them: they report to this event loop."""
        for engine in (self._migrator, self._reader, self._writer):
            await engine.dispose()
        for thread in tuple(self._threads):
            await asyncio.to_thread(thread.join, CLOSED_WITHIN_S)


def open_database(url: str, password: str = "") -> Database:
    """Open `sqlite:///relative.db`, `sqlite:////absolute.db` or `postgresql://user@host/name`.

    Connects on first use; `password` is that of the PostgreSQL user. Raises ConfigurationError for any other URL.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigurationError("the database's address is not a URL: sqlite:///file or postgresql://…") from error
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        path = Path(parsed.database)
        threads: WeakSet[Thread] = WeakSet()
        return Database(
            writer=_sqlite(path, threads, connections=1),
            reader=_sqlite(path, threads, connections=4, writes=False),
            migrator=_sqlite(path, threads, connections=1, foreign_keys=False),
            threads=threads,
        )
    if parsed.get_backend_name() == "postgresql":
        address = parsed.set(drivername="postgresql+asyncpg", password=password or parsed.password)
        engine = create_async_engine(
            address, pool_pre_ping=True, pool_size=10, pool_timeout=BUSY_TIMEOUT_S, hide_parameters=True
        )
        return Database(engine, engine, engine)
    raise ConfigurationError(f"no database for {parsed.render_as_string()!r}: use sqlite:///file or postgresql://…")


@asynccontextmanager
async def _session(engine: AsyncEngine, **options: bool) -> AsyncIterator[AsyncSession]:
    try:
        async with AsyncSession(engine, expire_on_commit=False) as session:
            await _connect(session, options)
            yield session
    except DBAPIError as error:
        meant = meaning(error)
        if meant is None:
            raise
        raise meant from error


async def _connect(session: AsyncSession, options: Mapping[str, bool]) -> None:
    """Begin now, so that a store that is away is found before the block does anything else."""
    try:
        await session.connection(execution_options=dict(options))
    except (PoolTimeoutError, OSError) as error:
        raise StoreUnavailableError(f"the database does not answer: {error}") from error


def _dbapi() -> AsyncAdapt_aiosqlite_dbapi:
    """Return aiosqlite over our SQLite. Its errors are that library's own, which SQLAlchemy must know to wrap them."""
    dbapi = AsyncAdapt_aiosqlite_dbapi(aiosqlite, sqlite)
    for name in ("Error", "DatabaseError", "IntegrityError", "OperationalError", "ProgrammingError"):
        setattr(dbapi, name, getattr(sqlite, name))
    return dbapi


def _sqlite(
    path: Path, threads: WeakSet[Thread], *, connections: int, writes: bool = True, foreign_keys: bool = True
) -> AsyncEngine:
    if sqlite.sqlite_version_info < WAL_RESET_FIXED:
        raise ConfigurationError(
            f"SQLite {sqlite.sqlite_version} can lose commits in WAL mode; 3.51.3 or later is needed"
        )

    async def connect() -> aiosqlite.Connection:
        def connector() -> Any:  # noqa: ANN401 - a connection of another SQLite than the standard library's
            return sqlite.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)

        connection = aiosqlite.Connection(connector, iter_chunk_size=64)
        threads.add(connection._thread)  # noqa: SLF001 - the library has no way to wait for its end
        return await connection

    engine = create_async_engine(
        "sqlite+aiosqlite://",
        module=_dbapi(),
        async_creator=connect,
        poolclass=AsyncAdaptedQueuePool,
        pool_size=connections,
        max_overflow=0,
        pool_reset_on_return="rollback",
        hide_parameters=True,
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _prepare(connection: Any, _: object) -> None:  # noqa: ANN401 - SQLAlchemy's adapted connection
        cursor = connection.cursor()
        settings = {
            "busy_timeout": int(BUSY_TIMEOUT_S * 1000),
            "journal_mode": "WAL",
            "synchronous": "FULL",
            "foreign_keys": "ON" if foreign_keys else "OFF",
            "query_only": "OFF" if writes else "ON",
        }
        for name, value in settings.items():
            cursor.execute(f"PRAGMA {name}={value}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Any) -> None:  # noqa: ANN401 - as above
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN DEFERRED")

    return engine
