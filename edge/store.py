"""One SQLite file, one thread that owns it, and commits that many share.

Work is handed to the owner as plain functions of a connection. What arrives while a commit is under way shares the next
one; the first to arrive after a pause does not wait. A transaction is written through to the disk (WAL, synchronous
FULL) before anyone hears of it.

A full disk must not stop reading and forgetting, and in SQLite even deleting needs room. So a ballast file stands
beside the database: when the disk is full it is given up, the log is written back, whoever knows what may be dropped is
asked to drop it, and only then are those who want to add turned away.
"""

import asyncio
import os
import queue
import shutil
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import apsw

from protocol import logs
from protocol.clock import Clock
from protocol.errors import DiwangError, StoreUnavailableError

T = TypeVar("T")
Work = Callable[[apsw.Connection], T]

_CHECKPOINT_PAGES: Final = 256
_CACHE_KIB: Final = 1024
_GROUP_JOBS: Final = 256
_NO_ROOM: Final = (apsw.FullError, apsw.IOError, apsw.CantOpenError)

log = logs.get(__name__)


@dataclass(slots=True, eq=False)
class _Job:
    work: Work[Any]
    done: asyncio.Future[Any]
    grows: bool = False
    parked: bool = False
    hurried: bool = False
    outcome: Any = None
    error: Exception | None = None


@dataclass(slots=True)
class _Owner:
    """What the thread shares with the loop: jobs one way, and whether it still lives."""

    jobs: queue.SimpleQueue[_Job | None] = field(default_factory=queue.SimpleQueue)
    dead: bool = False


class Store:
    """A database file. Enter it to open it; leaving commits what was handed in, then closes.

    `relief` is asked, inside a transaction of its own, to delete what may be lost when the disk is full.
    """

    def __init__(self, file: Path, schema: str, clock: Clock, *, group_s: float, ballast_bytes: int = 4 << 20) -> None:
        self.relief: Work[None] | None = None
        self._file = file
        self._schema = schema
        self._clock = clock
        self._group_s = group_s
        self._ballast = file.with_suffix(".ballast")
        self._ballast_bytes = ballast_bytes
        self._owner = _Owner()
        self._parked: list[_Job] = []
        self._thread = threading.Thread(target=self._own, name=f"{file.stem}-owner", daemon=True)
        self._loop: asyncio.AbstractEventLoop
        self._opened: asyncio.Future[None]

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._opened = self._loop.create_future()
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._thread.start()
        await self._opened
        return self

    async def __aexit__(self, *_: object) -> None:
        self._owner.jobs.put(None)
        await self._loop.run_in_executor(None, self._thread.join)

    async def run(self, work: Work[T], *, grows: bool = False) -> T:
        """Run the work in a transaction and return its result once that is on the disk.

        `grows` marks work that adds: it alone is turned away when the disk is full. Raises StoreUnavailableError then,
        and what the work raised on purpose, in which case nothing of it was kept; RuntimeError when the owner died.
        """
        result: T = await self._hand_over(_Job(work, self._loop.create_future(), grows=grows))
        return result

    async def read(self, work: Work[T]) -> T:
        """Run work that only reads, without waiting for a commit's turn."""
        result: T = await self._hand_over(_Job(work, self._loop.create_future(), hurried=True))
        return result

    async def await_result(self, work: Work[T | None]) -> T:
        """Try the work in every transaction from now on until it returns something, and return that.

        Work handed in this way sees what the same transaction has added before it.
        """
        result: T = await self._hand_over(_Job(work, self._loop.create_future(), parked=True))
        return result

    async def _hand_over(self, job: _Job) -> Any:  # noqa: ANN401 - the result of any work
        self._owner.jobs.put(job)
        if self._owner.dead and not job.done.done():
            job.done.set_exception(self._ended())
        return await job.done

    def _ended(self) -> RuntimeError:
        return RuntimeError(f"the owner of {self._file.name} has ended")

    # From here on everything runs on the owner's thread.

    def _own(self) -> None:
        try:
            connection = self._open()
        except apsw.Error as error:
            self._owner.dead = True
            failure = StoreUnavailableError(f"{self._file}: {error}")
            self._loop.call_soon_threadsafe(self._opened.set_exception, failure)
            return
        self._loop.call_soon_threadsafe(self._opened.set_result, None)
        group: list[_Job] = []
        try:
            running = True
            next_commit = 0.0
            while running:
                running = self._gather(group, next_commit)
                self._commit(connection, group)
                if not all(job.hurried for job in group):
                    next_commit = self._clock.monotonic() + self._group_s
                group.clear()
        finally:
            self._owner.dead = True
            connection.close()
            self._give_up_on([*group, *self._parked])

    def _open(self) -> apsw.Connection:
        try:
            return self._connect()
        except (apsw.NotADBError, apsw.CorruptError) as error:
            aside = self._file.with_suffix(f".damaged-{self._clock.new_id()}")
            log.critical("store_damaged_and_set_aside", file=self._file.name, kept_as=aside.name, reason=str(error))
            self._file.rename(aside)
            for leftover in ("-wal", "-shm"):
                Path(f"{self._file}{leftover}").unlink(missing_ok=True)
            return self._connect()

    def _connect(self) -> apsw.Connection:
        self._fill_ballast()
        connection = apsw.Connection(str(self._file))
        try:
            connection.execute(
                # Exclusive: two agents on one folder would double everything, so the second one does not start.
                "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                f"PRAGMA cache_size=-{_CACHE_KIB}; PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES};"
                f"PRAGMA journal_size_limit={_CHECKPOINT_PAGES * 4096};"
            )
            with connection:
                connection.execute(self._schema)
        except _NO_ROOM:
            self._ballast.unlink(missing_ok=True)
            with connection:
                connection.execute(self._schema)
        except apsw.Error:
            connection.close()
            raise
        return connection

    def _gather(self, group: list[_Job], not_before: float) -> bool:
        """Wait for work and collect what comes with it; return whether there may be more later."""
        job = self._owner.jobs.get()
        if job is None:
            return False
        self._sort_in(job, group)
        if not job.hurried and (pause := not_before - self._clock.monotonic()) > 0:
            time.sleep(pause)
        while len(group) < _GROUP_JOBS:
            try:
                job = self._owner.jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                return False
            self._sort_in(job, group)
        return True

    def _sort_in(self, job: _Job, group: list[_Job]) -> None:
        (self._parked if job.parked else group).append(job)

    def _commit(self, connection: apsw.Connection, group: list[_Job]) -> None:
        self._parked = [job for job in self._parked if not job.done.cancelled()]
        try:
            self._transact(connection, [*group, *self._parked])
        except _NO_ROOM as error:
            self._commit_without_room(connection, group, str(error))
        settled = [job for job in (*group, *self._parked) if not job.parked or job.outcome is not None or job.error]
        self._parked = [job for job in self._parked if job.outcome is None and job.error is None]
        self._announce(settled)
        if not self._ballast.exists():
            self._fill_ballast()

    def _commit_without_room(self, connection: apsw.Connection, group: list[_Job], reason: str) -> None:
        log.error("disk_full", file=self._file.name, reason=reason)
        self._ballast.unlink(missing_ok=True)
        for jobs in (
            [],
            [job for job in group if not job.grows],
            [*(job for job in group if job.grows), *self._parked],
        ):
            try:
                self._write_log_back(connection)
                if not jobs and self.relief:
                    with connection:
                        self.relief(connection)
                self._transact(connection, jobs)
            except _NO_ROOM as error:
                for job in jobs:
                    if not job.parked:
                        job.error = StoreUnavailableError(f"{self._file.name}: {error}")

    def _write_log_back(self, connection: apsw.Connection) -> None:
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)

    def _transact(self, connection: apsw.Connection, jobs: Iterable[_Job]) -> None:
        """Run all jobs in one transaction; a job that fails is undone alone."""
        jobs = tuple(jobs)
        for job in jobs:
            job.outcome = job.error = None
        try:
            with connection:
                for job in jobs:
                    self._attempt(connection, job)
        except _NO_ROOM:
            for job in jobs:
                job.outcome = job.error = None
            raise

    def _attempt(self, connection: apsw.Connection, job: _Job) -> None:
        try:
            with connection:
                job.outcome = job.work(connection)
        except _NO_ROOM:
            raise
        except (DiwangError, apsw.Error) as error:
            job.error = error

    def _announce(self, settled: list[_Job]) -> None:
        if settled:
            self._loop.call_soon_threadsafe(_settle, settled)

    def _give_up_on(self, jobs: list[_Job]) -> None:
        """Nobody waits for ever on a thread that has ended."""
        while True:
            try:
                job = self._owner.jobs.get_nowait()
            except queue.Empty:
                break
            if job is not None:
                jobs.append(job)
        for job in jobs:
            job.error = self._ended()
        self._announce(jobs)

    def _fill_ballast(self) -> None:
        """Take the ballast's room while there is plenty: real blocks, not a hole."""
        if self._ballast.exists() or shutil.disk_usage(self._file.parent).free < 3 * self._ballast_bytes:
            return
        try:
            with self._ballast.open("wb") as ballast:
                os.posix_fallocate(ballast.fileno(), 0, self._ballast_bytes)
        except OSError:
            self._ballast.unlink(missing_ok=True)


def _settle(jobs: list[_Job]) -> None:
    for job in jobs:
        if job.done.done():
            continue
        if job.error is not None:
            job.done.set_exception(job.error)
        else:
            job.done.set_result(job.outcome)
