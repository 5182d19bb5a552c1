"""The worker: claims jobs that are due, runs their handlers, and answers for what became of them.

    worker = Worker(database, clock, {"notification.deliver": delivery.deliver})
    await worker.run()                    # until cancelled

A job runs at least once: when its worker is killed, its lease ends and another takes it, so a handler must bear being
run again. A handler that raises TransientError is run again later, any other DiwangError kills the job; anything else
is a bug and stops the process.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from hub.jobs import repository, retrying
from hub.jobs.model import Job
from hub.storage.database import Database
from protocol import logs
from protocol.clock import Clock
from protocol.errors import DiwangError, StoreUnavailableError, TransientError

log = logs.get(__name__)

LEASE: Final = timedelta(seconds=30)
CONCURRENCY: Final = 8

COALESCED_S: Final = 0.05
"""Commits that follow each other faster are looked at together: most commits bring no job."""

OTHERS_COMMIT_S: Final = 1.0
"""How long a job that another process added may stay unseen: nothing wakes this one for it."""

CLOCK_CHECKED_S: Final = 60.0
"""How long a step of the wall clock may stay unseen."""

Handler = Callable[[Job], Awaitable[None]]


class Worker:
    """Runs the jobs of the kinds it has handlers for, at most `concurrency` at a time."""

    def __init__(
        self, database: Database, clock: Clock, handlers: Mapping[str, Handler], *, concurrency: int = CONCURRENCY
    ) -> None:
        self._database = database
        self._clock = clock
        self._handlers = dict(handlers)
        self._concurrency = concurrency
        self._running: set[UUID] = set()
        self._wake = asyncio.Event()
        self._alone = database.dialect == "sqlite"
        database.on_commit(self._wake.set)

    async def run(self) -> None:
        """Work until cancelled. What runs then is cancelled too, and taken up again when its lease ends."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._wake.clear()
                try:
                    jobs, wait_s = await self._claim()
                except StoreUnavailableError as error:
                    log.warning("jobs_wait_for_store", reason=str(error))
                    jobs, wait_s = [], OTHERS_COMMIT_S
                for job in jobs:
                    self._running.add(job.id)
                    group.create_task(self._attempt(job), name=f"job-{job.kind}")
                await asyncio.sleep(COALESCED_S)
                await self._woken(wait_s)

    async def _claim(self) -> tuple[list[Job], float | None]:
        """Return claimed jobs, and after how many seconds to look again at the latest; None means when woken."""
        free = self._concurrency - len(self._running)
        if free == 0:
            return [], None
        now = self._clock.now()
        async with self._database.read() as session:
            due = await repository.next_due(session, self._handlers, now)
        if due is None or due > now:
            return [], self._patience(due, now)
        async with self._database.write() as session:
            jobs = await repository.claim(session, self._handlers, now, now + LEASE, free)
        return jobs, 0.0

    def _patience(self, due: datetime | None, now: datetime) -> float | None:
        longest = CLOCK_CHECKED_S if self._alone else OTHERS_COMMIT_S
        if due is None:
            return None if self._alone else longest
        return min((due - now).total_seconds(), longest)

    async def _woken(self, wait_s: float | None) -> None:
        try:
            async with asyncio.timeout(wait_s):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _attempt(self, job: Job) -> None:
        try:
            async with self._leased(job):
                await self._handlers[job.kind](job)
        except TransientError as error:
            await self._settle(job, error)
        except DiwangError as error:
            await self._settle(job, error, final=True)
        else:
            await self._settle(job, None)
        finally:
            self._running.discard(job.id)
            self._wake.set()

    async def _settle(self, job: Job, error: DiwangError | None, *, final: bool = False) -> None:
        """Write down what became of a try. If even that fails, the lease ends and the job runs again."""
        now = self._clock.now()
        reason = f"{type(error).__name__}: {error}" if error else ""
        facts = {"kind": job.kind, "job": str(job.id), "tries": job.tries, "reason": reason}
        try:
            async with self._database.write() as session:
                if error is None:
                    await repository.finish(session, job, "done", now, "")
                elif final or retrying.exhausted(job, now):
                    await repository.finish(session, job, "dead", now, reason)
                    log.error("job_given_up", **facts)
                else:
                    delay_s = retrying.delay_s(job.tries)
                    await repository.put_off(session, job, now + timedelta(seconds=delay_s), reason)
                    log.info("job_put_off", retry_in_s=round(delay_s, 1), **facts)
        except StoreUnavailableError as unavailable:
            log.warning("job_runs_again", kind=job.kind, job=str(job.id), reason=str(unavailable))

    @asynccontextmanager
    async def _leased(self, job: Job) -> AsyncIterator[None]:
        """Keep the lease of a job while the block runs."""
        keeping = asyncio.create_task(self._keep(job), name=f"lease-{job.kind}")
        try:
            yield
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

    async def _keep(self, job: Job) -> None:
        while True:
            await asyncio.sleep(LEASE.total_seconds() / 3)
            try:
                async with self._database.write() as session:
                    if not await repository.renew(session, job, self._clock.now() + LEASE):
                        log.warning("job_lease_lost", kind=job.kind, job=str(job.id))
                        return
            except StoreUnavailableError as error:
                log.warning("job_lease_not_renewed", kind=job.kind, job=str(job.id), reason=str(error))
