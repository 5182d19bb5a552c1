"""One SQLite file, one thread that owns it, and commits that many share.

Work is handed to the owner as plain functions of a connection. What arrives while a commit is under way shares the next
one; the first to arrive after a pause does not wait. A transaction is written through to the disk (WAL, synchronous
FULL) before anyone hears of it.

A full disk must not stop reading and forgetting, and in SQLite even deleting needs room. So a ballast file stands
beside the database: when the disk is full it is given up, the log is written back, whoever knows what may be dropped is
asked to drop it, and only then are those who want to add turned away.
"""

import asyncio
import queue
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import apsw

from edge.ballast import Ballast
from edge.database import DAMAGED, NO_ROOM, Database
from protocol import logs
from protocol.clock import Clock
from protocol.errors import DiwangError, StoreUnavailableError

T = TypeVar("T")
Work = Callable[[apsw.Connection], T]

_GROUP_JOBS: Final = 256
_ROOM_AFTER_S: Final = 10.0

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
        self._ballast = Ballast(file.with_suffix(".ballast"), ballast_bytes)
        self._owner = _Owner()
        self._parked: list[_Job] = []
        self._full_at: float | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._own, name=f"{file.stem}-owner", daemon=True)
        self._loop: asyncio.AbstractEventLoop
        self._opened: asyncio.Future[None]

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._opened = self._loop.create_future()
        self._thread.start()
        await self._opened
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing.set()
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
        outcome: Exception | None = self._ended()
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            database = Database(self._file, self._schema, self._ballast, self._clock)
            outcome = None
        except (apsw.Error, OSError) as error:
            outcome = StoreUnavailableError(f"{self._file}: {error}")
            return
        finally:
            self._owner.dead = outcome is not None
            self._loop.call_soon_threadsafe(_resolve, self._opened, None, outcome)
        group: list[_Job] = []
        try:
            running = True
            next_commit = 0.0
            while running:
                running = self._gather(group, next_commit)
                self._commit(database, group)
                if not all(job.hurried for job in group):
                    next_commit = self._clock.monotonic() + self._group_s
                group.clear()
        except DAMAGED as error:
            log.critical("database_damaged", file=self._file.name, reason=str(error))
            database.condemn()
        finally:
            self._owner.dead = True
            self._give_up_on([*group, *self._parked])
            database.close()

    def _gather(self, group: list[_Job], not_before: float) -> bool:
        """Wait for work and collect what comes with it; return whether there may be more later."""
        job = self._owner.jobs.get()
        if job is None:
            return False
        self._sort_in(job, group)
        if not job.hurried and (pause := not_before - self._clock.monotonic()) > 0:
            self._closing.wait(pause)
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

    def _commit(self, database: Database, group: list[_Job]) -> None:
        self._parked = [job for job in self._parked if not job.done.cancelled()]
        try:
            self._transact(database, [*group, *self._parked])
        except NO_ROOM as error:
            self._commit_without_room(database, group, str(error))
        else:
            self._note_room(group)
        settled = [job for job in (*group, *self._parked) if not job.parked or job.outcome is not None or job.error]
        self._parked = [job for job in self._parked if job.outcome is None and job.error is None]
        if settled:
            self._loop.call_soon_threadsafe(_settle, settled)
        self._ballast.fill()
        database.tidy()

    def _commit_without_room(self, database: Database, group: list[_Job], reason: str) -> None:
        """Do in the ballast's room what makes room, then put the ballast back; what adds gets what is left."""
        if self._full_at is None:
            log.critical("disk_full", file=self._file.name, reason=reason)
        self._full_at = self._clock.monotonic()
        self._ballast.give_up()
        self._turn_away(lambda: self._relieve(database), ())
        modest = [job for job in group if not job.grows]
        self._turn_away(lambda: self._transact(database, modest), modest)
        self._turn_away(database.write_log_back, ())
        self._ballast.fill()
        database.tidy()
        rest = [*(job for job in group if job.grows), *self._parked]
        self._turn_away(lambda: self._transact(database, rest), rest)

    def _note_room(self, group: list[_Job]) -> None:
        """Say that there is room once that has held for a while: what is dropped makes room for a moment only."""
        if self._full_at is None or not any(job.grows for job in group):
            return
        if self._clock.monotonic() - self._full_at > _ROOM_AFTER_S:
            log.warning("disk_has_room_again", file=self._file.name)
            self._full_at = None

    def _relieve(self, database: Database) -> None:
        database.write_log_back()
        if self.relief:
            with database.transaction():
                self.relief(database.connection)

    def _turn_away(self, act: Callable[[], None], jobs: Iterable[_Job]) -> None:
        """Act; when the disk does not allow it, those who wait for a result hear so."""
        try:
            act()
        except NO_ROOM as error:
            for job in jobs:
                if not job.parked:
                    job.error = StoreUnavailableError(f"{self._file.name}: {error}")

    def _transact(self, database: Database, jobs: Iterable[_Job]) -> None:
        """Run all jobs in one transaction; a job that fails is undone alone."""
        jobs = tuple(jobs)
        for job in jobs:
            job.outcome = job.error = None
        try:
            with database.transaction():
                for job in jobs:
                    self._attempt(database.connection, job)
        except NO_ROOM:
            for job in jobs:
                job.outcome = job.error = None
            raise

    def _attempt(self, connection: apsw.Connection, job: _Job) -> None:
        connection.execute("SAVEPOINT job")
        try:
            job.outcome = job.work(connection)
        except (*NO_ROOM, *DAMAGED):
            raise  # the whole transaction is lost
        except (DiwangError, apsw.Error) as error:
            job.error = error
            connection.execute("ROLLBACK TO job")
        connection.execute("RELEASE job")

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
        self._loop.call_soon_threadsafe(_settle, jobs)


def _settle(jobs: list[_Job]) -> None:
    for job in jobs:
        _resolve(job.done, job.outcome, job.error)


def _resolve(waiting: asyncio.Future[Any], outcome: object, error: Exception | None) -> None:
    if waiting.done():
        return
    if error is not None:
        waiting.set_exception(error)
    else:
        waiting.set_result(outcome)
