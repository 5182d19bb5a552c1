"""The DuckDB file: its tables, its limits, and its errors in our own words."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from weakref import WeakSet

import duckdb

from protocol.errors import ConfigurationError, PermanentError, StoreUnavailableError

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS series (id BIGINT, gateway VARCHAR, device VARCHAR, name VARCHAR, type VARCHAR);
CREATE TABLE IF NOT EXISTS batch (number BIGINT, gateway VARCHAR, epoch UUID, id UUID, received TIMESTAMP);
CREATE TABLE IF NOT EXISTS reading (
    series BIGINT, instant TIMESTAMP, number DOUBLE, text VARCHAR, received TIMESTAMP, batch BIGINT, extra JSON);
CREATE TABLE IF NOT EXISTS position (
    gateway VARCHAR, device VARCHAR, instant TIMESTAMP, latitude DOUBLE, longitude DOUBLE, altitude_m DOUBLE,
    speed_mps DOUBLE, course_deg DOUBLE, hdop DOUBLE, satellites INTEGER, quality INTEGER, sigma_m DOUBLE,
    cn0_mean_db DOUBLE, cn0_spread_db DOUBLE, flags VARCHAR[], received TIMESTAMP, batch BIGINT, extra JSON);
CREATE TABLE IF NOT EXISTS newest (series BIGINT, instant TIMESTAMP, number DOUBLE, text VARCHAR);
CREATE TABLE IF NOT EXISTS mark (batch BIGINT);
"""
"""Times are UTC. Flags are the numbers 1 and 0 and `series.type` tells. No table has a key: an index would have to fit
into memory and each late row would dirty a page of its own. `newest` holds what was newest when batch number `mark`
was the last."""


_AWAY: Final = (
    duckdb.OperationalError,
    duckdb.InternalError,
    duckdb.FatalException,
    duckdb.InterruptException,
    duckdb.InvalidInputException,
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What the embedded database may use. `memory_mib` bounds its buffers, beyond it spills to a folder by the file."""

    memory_mib: int = 512
    threads: int = 2


class DuckDBFile:
    """One open file. Cursors are independent connections: readers neither block the writer nor each other."""

    def __init__(self, path: Path, limits: Limits) -> None:
        """Open or create the file; raise ConfigurationError when it is in use by another process or no such file."""
        self._path = path
        self._limits = limits
        self._cursors: WeakSet[duckdb.DuckDBPyConnection] = WeakSet()
        try:
            self._database = self._opened()
        except duckdb.Error as error:
            in_use = isinstance(error, duckdb.IOException) and "lock" in str(error)
            reason = "it is in use, and a DuckDB file belongs to one process" if in_use else str(error)
            raise ConfigurationError(f"{path} cannot be opened: {reason}") from error

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Return a new connection for one thread; close it after use."""
        with translated():
            cursor = self._database.cursor()
        self._cursors.add(cursor)
        return cursor

    def reopen(self) -> None:
        """Close and open again: after a fatal error (a full disk while committing) DuckDB refuses everything else."""
        self.close()
        with translated():
            self._database = self._opened()

    def close(self) -> None:
        """Write what is still in the log into the file and let go of it; queries under way fail."""
        for cursor in list(self._cursors):
            with suppress(duckdb.ConnectionException):  # closed by its own user
                cursor.interrupt()
            cursor.close()
        self._database.close()

    def _opened(self) -> duckdb.DuckDBPyConnection:
        settings: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": f"{self._limits.memory_mib}MiB",
            "threads": self._limits.threads,
            "temp_directory": f"{self._path}.tmp",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            # A late batch of many gateways asks for many ids at once; up to here each id alone selects row groups.
            "dynamic_or_filter_threshold": 1_000,
        }
        database = duckdb.connect(self._path, config=settings)
        database.execute(SCHEMA)
        return database


@contextmanager
def translated() -> Iterator[None]:
    """Turn what DuckDB raises into our own words.

    StoreUnavailableError when the same may succeed later (disk, memory, an interrupted or closed connection),
    PermanentError for values that it cannot hold. A statement that is wrong is a bug, and passes.
    """
    try:
        yield
    except _AWAY as error:
        raise StoreUnavailableError(str(error)) from error
    except duckdb.DataError as error:
        raise PermanentError(str(error)) from error
