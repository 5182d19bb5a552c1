"""Both databases for tests: SQLite in a file, and a real PostgreSQL started once per test session.

    async def test_…(database: Database) -> None: ...           # runs on both, tables made, empty
    async def test_…(sqlite_database: Database) -> None: ...    # SQLite only

`empty_database` is the same without tables, for migrations.
"""

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from hub.storage.database import Database, open_database
from hub.storage.tables import metadata
from tests.simulators.ports import free_port

BINARIES = Path("/usr/lib/postgresql/15/bin")
INSTALL = "PostgreSQL 15 is missing: apt-get install postgresql-15"
START_PATIENCE_S = 30
EMPTY = "; ".join(
    [
        "SET lock_timeout = '5s'",
        "SET session_replication_role = replica",
        *(f'DELETE FROM "{table}"' for table in metadata.tables),  # noqa: S608 - our own names
    ]
)
"""Much quicker than a fresh database: foreign keys are not looked at, as a replica does not."""


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """A PostgreSQL of this test session on a loopback port; yields the URL of its first database."""
    if not (BINARIES / "postgres").exists():
        pytest.fail(INSTALL)
    # Not under pytest's own temporary folder: that one belongs to the user who runs the tests, and PostgreSQL refuses
    # to run as root.
    folder = Path(tempfile.mkdtemp(prefix="diwang-postgresql-"))
    user: list[str | Path] = ["runuser", "-u", "nobody", "--"] if os.geteuid() == 0 else []
    if user:
        shutil.chown(folder, "nobody")
    try:
        initdb = [*user, BINARIES / "initdb", "-D", folder / "data", "-U", "diwang", "-A", "trust", "-N", "-E", "UTF8"]
        subprocess.run(initdb, check=True, capture_output=True, cwd=folder)
        port = free_port()
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": folder,
            "fsync": "off",
            "synchronous_commit": "off",
        }
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        control = [
            *user,
            BINARIES / "pg_ctl",
            "-D",
            folder / "data",
            "-l",
            folder / "log",
            "-w",
            "-t",
            str(START_PATIENCE_S),
        ]
        subprocess.run([*control, "-o", options, "start"], check=True, capture_output=True, cwd=folder)
        try:
            yield f"postgresql://diwang@127.0.0.1:{port}/postgres"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], check=True, capture_output=True, cwd=folder)
    finally:
        shutil.rmtree(folder)


@pytest.fixture
async def sqlite_database(tmp_path: Path) -> AsyncIterator[Database]:
    """An SQLite with every table."""
    async with _opened(_sqlite_url(tmp_path)) as database:
        await create_tables(database)
        yield database


@pytest.fixture(params=["sqlite", "postgresql"])
async def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """Each of the two databases, without tables."""
    if request.param == "sqlite":
        async with _opened(_sqlite_url(tmp_path)) as database:
            yield database
        return
    async with fresh_postgresql(request.getfixturevalue("postgresql")) as url, _opened(url) as database:
        yield database


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """Each of the two databases, with every table, empty."""
    if request.param == "sqlite":
        async with _opened(_sqlite_url(tmp_path)) as database:
            await create_tables(database)
            yield database
        return
    url = await _with_tables(request.getfixturevalue("postgresql"))
    async with _opened(url) as database:
        yield database
    await _execute(url, EMPTY)


@asynccontextmanager
async def fresh_postgresql(server: str) -> AsyncIterator[str]:
    """Make an empty database on the server; yield its URL and drop it."""
    name = f"test_{uuid4().hex}"
    await _execute(server, f"CREATE DATABASE {name}")
    try:
        yield server.removesuffix("/postgres") + f"/{name}"
    finally:
        await _execute(server, f"DROP DATABASE {name} WITH (FORCE)")


async def create_tables(database: Database) -> None:
    """Make every table the code knows, without migrations."""
    async with database.engine.begin() as connection:
        await connection.run_sync(metadata.create_all)


async def _with_tables(server: str) -> str:
    """Return the URL of the database that tests share one after the other; made by the first."""
    url = server.removesuffix("/postgres") + "/tables"
    with suppress(asyncpg.DuplicateDatabaseError):
        await _execute(server, "CREATE DATABASE tables")
        async with _opened(url) as database:
            await create_tables(database)
    return url


def _sqlite_url(folder: Path) -> str:
    return f"sqlite:///{folder / 'test.db'}"


@asynccontextmanager
async def _opened(url: str) -> AsyncIterator[Database]:
    database = open_database(url)
    try:
        yield database
    finally:
        await database.close()
        # aiosqlite's thread hands its last answer back through the loop.
        await asyncio.sleep(0)


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
