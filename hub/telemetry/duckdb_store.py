"""The embedded telemetry store: one DuckDB file, one thread that writes, readers beside it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Self, TypeVar

import duckdb
import pyarrow as pa

from hub.telemetry import duckdb_reading as reading
from hub.telemetry import duckdb_writing as writing
from hub.telemetry.batches import told_apart
from hub.telemetry.catalogue import Catalogue
from hub.telemetry.columns import microseconds, rows_of
from hub.telemetry.contract import (
    Arrival,
    Bucket,
    Clash,
    Committed,
    LastValue,
    Retention,
    Sample,
    SeriesKey,
    StoredPosition,
)
from hub.telemetry.duckdb_file import DuckDBFile, Limits, translated
from hub.telemetry.duckdb_writing import Writer
from hub.telemetry.retention import deadlines
from protocol.errors import StoreUnavailableError

READERS: Final = 4

Result = TypeVar("Result")


class DuckDBStore:
    """A TelemetryStore in one file. A commit is one transaction and one fsync.

    Everything in memory follows from the file: after a failure the next write loads it anew, and opens the file again
    when DuckDB has given it up.
    """

    def __init__(self, path: Path, limits: Limits) -> None:
        """Open or create the file; use `opened` from the event loop, for this blocks."""
        self._file = DuckDBFile(path, limits)
        self._writing = ThreadPoolExecutor(1, "telemetry-write")
        self._reading = ThreadPoolExecutor(READERS, "telemetry-read")
        self._writer = Writer(self._file.cursor())
        self._load()

    @classmethod
    async def opened(cls, path: Path, limits: Limits | None = None) -> Self:
        """Open or create the file.

        Raises ConfigurationError when another process has it or when it is not such a file.
        """
        return await asyncio.to_thread(cls, path, limits or Limits())

    async def commit(self, arrivals: Sequence[Arrival]) -> Committed:
        return await self._write(lambda: self._commit(arrivals))

    async def last(self, gateway: str | None = None, device: str | None = None) -> list[LastValue]:
        return await self._read(lambda _: reading.last(self._catalogue, self._newest, gateway, device))

    async def samples(self, series: SeriesKey, since: datetime, until: datetime, limit: int) -> list[Sample]:
        known = self._catalogue.find(series)
        return await self._read(lambda cursor: reading.samples(cursor, known, (since, until), limit)) if known else []

    async def buckets(
        self, series: SeriesKey, since: datetime, until: datetime, step: timedelta, limit: int
    ) -> list[Bucket]:
        known = self._catalogue.find(series)
        return (
            await self._read(lambda cursor: reading.buckets(cursor, known, (since, until), step, limit))
            if known
            else []
        )

    async def positions(
        self, gateway: str | None, device: str, since: datetime, until: datetime, limit: int
    ) -> list[StoredPosition]:
        return await self._read(lambda cursor: reading.positions(cursor, gateway, device, (since, until), limit))

    async def export(
        self, gateway: str | None, device: str | None, since: datetime, until: datetime
    ) -> AsyncIterator[pa.RecordBatch]:
        cursor = self._file.cursor()
        batches = reading.export(cursor, gateway, device, (since, until))
        try:
            while (batch := await self._in(self._reading, lambda: next(batches, None))) is not None:
                yield batch
        finally:
            # Who asked may be gone while a reader still works for them: stop it, and close where nobody waits.
            cursor.interrupt()
            self._reading.submit(cursor.close)

    async def retain(self, retention: Retention, now: datetime) -> int:
        cutoffs = await self._write(lambda: deadlines(retention, self._catalogue, now))
        gone = await self._read(lambda cursor: writing.delete_old(cursor, cutoffs, retention, now))
        await self._write(lambda: self._forget(cutoffs))
        return gone

    async def ping(self) -> None:
        await self._read(lambda cursor: cursor.execute("SELECT 1").fetchall())

    async def close(self) -> None:
        try:
            await self._write(self._snapshot)
        finally:
            self._writing.shutdown()
            self._reading.shutdown()
            self._file.close()

    def _load(self) -> None:
        self._catalogue = Catalogue(reading.series(self._writer.connection))
        self._newest, self._last_batch = reading.newest(self._writer.connection)
        self._in_doubt = False

    def _commit(self, arrivals: Sequence[Arrival]) -> Committed:
        known = writing.known_batches(self._writer, writing.identities(arrivals, 0))
        fresh, duplicates = told_apart(arrivals, known)
        clashes = self._store(fresh) if fresh else []
        clashes.extend(clash for arrival in duplicates for clash in self._catalogue.clashes(arrival))
        return Committed(frozenset(arrival.batch.id for arrival in duplicates), tuple(clashes))

    def _store(self, arrivals: Sequence[Arrival]) -> list[Clash]:
        first_number, first_series = self._last_batch + 1, self._catalogue.next_id
        rows = rows_of(arrivals, self._catalogue, first_number)
        decided = self._catalogue.added(first_series)
        with self._transaction() as writer:
            writing.insert(writer, writing.identities(arrivals, first_number), decided, rows)
        self._last_batch += len(arrivals)
        self._newest.update(rows)
        return rows.clashes

    def _forget(self, cutoffs: writing.Deadlines) -> None:
        for _, series, cutoff in cutoffs:
            self._newest.forget(series.id, int(microseconds([cutoff])[0]))
        self._snapshot()

    def _snapshot(self) -> None:
        with self._transaction() as writer:
            writing.snapshot(writer, self._newest, self._last_batch)

    @contextmanager
    def _transaction(self) -> Iterator[Writer]:
        with translated():
            self._writer.connection.begin()
            yield self._writer
            self._writer.connection.commit()

    async def _write(self, act: Callable[[], Result]) -> Result:
        return await self._in(self._writing, lambda: self._certain(act))

    def _certain(self, act: Callable[[], Result]) -> Result:
        """Run in the writing thread. Whatever goes wrong there leaves it open what the file holds: load it anew."""
        if self._in_doubt:
            self._recover()
        self._in_doubt = True
        result = act()
        self._in_doubt = False
        return result

    def _recover(self) -> None:
        try:
            self._writer.connection.close()
            self._writer = Writer(self._file.cursor())
            self._load()
        except StoreUnavailableError:
            self._file.reopen()
            self._writer = Writer(self._file.cursor())
            self._load()

    async def _read(self, ask: Callable[[duckdb.DuckDBPyConnection], Result]) -> Result:
        def asked() -> Result:
            with closing(self._file.cursor()) as cursor, translated():
                return ask(cursor)

        return await self._in(self._reading, asked)

    @staticmethod
    async def _in(threads: ThreadPoolExecutor, act: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(threads, act)
