"""Jobs on both databases: with their transaction, once by their key, again after a failure, and after a kill -9."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text

from hub.jobs import repository, retrying, worker
from hub.jobs.enqueueing import enqueue
from hub.jobs.model import Job
from hub.jobs.periodic import Periodic, prune_jobs, run_periodic
from hub.jobs.worker import Handler, Worker
from hub.storage.database import Database, open_database
from hub.storage.tables import metadata
from protocol.clock import ManualClock, SystemClock
from protocol.errors import ConfigurationError, UplinkUnavailableError

PATIENCE_S = 10


@asynccontextmanager
async def working(database: Database, handlers: Mapping[str, Handler], concurrency: int = 8) -> AsyncIterator[None]:
    task = asyncio.create_task(Worker(database, SystemClock(), handlers, concurrency=concurrency).run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def put(database: Database, key: str, *, kind: str = "work", after_s: float = 0) -> bool:
    clock = SystemClock()
    async with database.write() as session:
        due = clock.now() + timedelta(seconds=after_s)
        return await enqueue(session, clock, kind, dedupe_key=key, payload={"key": key}, due_at=due)


async def stored(database: Database) -> dict[str, Job]:
    async with database.read() as session:
        return {job.dedupe_key: job for job in await session.scalars(select(Job))}


async def until_state(database: Database, key: str, state: str) -> Job:
    changed = asyncio.Event()
    database.on_commit(changed.set)
    async with asyncio.timeout(PATIENCE_S):
        while (job := (await stored(database))[key]).state != state:
            await changed.wait()
            changed.clear()
    return job


async def test_a_job_runs_once_and_is_done(database: Database) -> None:
    ran: list[str] = []

    async def handle(job: Job) -> None:
        ran.append(job.payload["key"])

    async with working(database, {"work": handle}):
        assert await put(database, "a")
        assert not await put(database, "a")
        job = await until_state(database, "a", "done")
        assert not await put(database, "a")
    assert ran == ["a"]
    assert job.tries == 1
    assert job.finished_at is not None


async def test_a_job_comes_with_its_transaction_or_not_at_all(database: Database) -> None:
    async def fact_that_fails() -> None:
        async with database.write() as session:
            await enqueue(session, SystemClock(), "work", dedupe_key="lost", payload={})
            raise ConfigurationError("the fact was refused")

    with pytest.raises(ConfigurationError):
        await fact_that_fails()
    assert await stored(database) == {}


async def test_a_job_that_was_waiting_at_the_start_is_found_and_one_for_later_waits(database: Database) -> None:
    await put(database, "now")
    await put(database, "soon", after_s=0.4)
    await put(database, "tomorrow", after_s=86_400)
    ran: list[str] = []

    async def handle(job: Job) -> None:
        ran.append(job.dedupe_key)

    async with working(database, {"work": handle}):
        await until_state(database, "soon", "done")
    assert ran == ["now", "soon"]
    assert (await stored(database))["tomorrow"].state == "waiting"


async def test_a_kind_without_a_handler_is_left_to_others(database: Database) -> None:
    async def handle(_: Job) -> None:
        return

    async with working(database, {"work": handle}):
        await put(database, "other", kind="elsewhere")
        await put(database, "mine")
        await until_state(database, "mine", "done")
    assert (await stored(database))["other"].tries == 0


async def test_a_transient_failure_is_tried_again(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "FIRST_DELAY_S", 0.02)
    failures = iter([UplinkUnavailableError("no route"), UplinkUnavailableError("still none")])

    async def handle(_: Job) -> None:
        if (error := next(failures, None)) is not None:
            raise error

    async with working(database, {"work": handle}):
        await put(database, "a")
        job = await until_state(database, "a", "done")
    assert job.tries == 3


async def test_a_permanent_failure_and_an_old_one_are_given_up_and_kept(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(_: Job) -> None:
        raise ConfigurationError("no such channel")

    async def fail(_: Job) -> None:
        raise UplinkUnavailableError("no route")

    monkeypatch.setattr(retrying, "GIVEN_UP_AFTER", timedelta(0))
    async with working(database, {"refuse": refuse, "fail": fail}):
        await put(database, "refused", kind="refuse")
        await put(database, "old", kind="fail")
        refused = await until_state(database, "refused", "dead")
        old = await until_state(database, "old", "dead")
    assert refused.last_error == "ConfigurationError: no such channel"
    assert old.last_error == "UplinkUnavailableError: no route"


async def test_a_bug_in_a_handler_stops_the_worker(database: Database) -> None:
    async def handle(_: Job) -> None:
        raise ZeroDivisionError

    await put(database, "a")
    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.timeout(PATIENCE_S):
            await Worker(database, SystemClock(), {"work": handle}).run()
    assert caught.group_contains(ZeroDivisionError)


async def test_no_more_than_so_many_run_at_a_time(database: Database) -> None:
    running = most = 0
    full = asyncio.Event()

    async def handle(_: Job) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            if running == 3:
                full.set()
            await full.wait()
            await asyncio.sleep(0.01)
        finally:  # also of one that was cut off, to be done again
            running -= 1

    for key in range(10):
        await put(database, str(key))
    async with working(database, {"work": handle}, concurrency=3):
        for key in range(10):
            await until_state(database, str(key), "done")
    assert most == 3


async def test_a_claim_takes_no_more_than_asked_for_however_it_is_planned(database: Database) -> None:
    """PostgreSQL runs a subquery again for each row of a nested loop, and takes other rows each time."""
    for key in range(10):
        await put(database, str(key))
    now = SystemClock().now()
    async with database.write() as session:
        if database.dialect == "postgresql":
            for way in ("hashjoin", "mergejoin", "hashagg", "sort", "material", "memoize"):
                await session.execute(text(f"SET LOCAL enable_{way} = off"))
        jobs = await repository.claim(session, ["work"], now, now + timedelta(minutes=1), 3)
    assert len(jobs) == 3


async def test_two_workers_share_and_no_job_runs_twice(database: Database) -> None:
    ran: list[str] = []

    async def handle(job: Job) -> None:
        ran.append(job.dedupe_key)

    for key in range(40):
        await put(database, str(key))
    async with working(database, {"work": handle}, 3), working(database, {"work": handle}, 5):
        for key in range(40):
            await until_state(database, str(key), "done")
    assert sorted(ran, key=int) == [str(key) for key in range(40)]


async def test_a_lease_is_kept_while_the_job_runs(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "LEASE", timedelta(seconds=0.6))
    ran: list[str] = []

    async def handle(job: Job) -> None:
        ran.append(job.dedupe_key)
        await asyncio.sleep(1.5)

    async with working(database, {"work": handle}), working(database, {"work": handle}):
        await put(database, "slow")
        job = await until_state(database, "slow", "done")
    assert ran == ["slow"]
    assert job.tries == 1


async def test_a_worker_that_was_too_slow_settles_nothing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lease ran out (it could not be renewed), another took the job over: only the other's word counts."""
    monkeypatch.setattr(worker, "LEASE", timedelta(seconds=0.2))
    monkeypatch.setattr(Worker, "_keep", lambda *_: asyncio.sleep(PATIENCE_S))
    slow_began, slow_may_end = asyncio.Event(), asyncio.Event()

    async def slow(_: Job) -> None:
        slow_began.set()
        await slow_may_end.wait()

    async def refuse(_: Job) -> None:
        raise ConfigurationError("the second worker's word")

    async with working(database, {"work": slow}):
        await put(database, "a")
        async with asyncio.timeout(PATIENCE_S):
            await slow_began.wait()
        async with working(database, {"work": refuse}):
            # The first worker takes the job again, each time its lease ends, until the second one is quicker.
            job = await until_state(database, "a", "dead")
        slow_may_end.set()
        await asyncio.sleep(0.2)
    after = (await stored(database))["a"]
    assert (after.state, after.last_error) == ("dead", "ConfigurationError: the second worker's word")
    assert after.finished_at == job.finished_at


KILLED = """
import asyncio, os, sys
from hub.jobs.worker import Worker
from hub.storage.database import open_database
from protocol.clock import SystemClock

async def handle(job):
    print("began", flush=True)
    await asyncio.sleep(60)

asyncio.run(Worker(open_database(sys.argv[1]), SystemClock(), {"work": handle}).run())
"""


async def test_a_job_whose_process_is_killed_runs_again(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'jobs.db'}"
    database = open_database(url)
    async with database.engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    await put(database, "a")
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED, url, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"began\n"
    process.kill()
    await process.wait()
    leased = (await stored(database))["a"]
    assert (leased.state, leased.tries) == ("waiting", 1)

    class Later(SystemClock):
        """Half a minute on, when the lease has ended."""

        def now(self) -> datetime:
            return super().now() + worker.LEASE

    ran: list[str] = []

    async def handle(job: Job) -> None:
        ran.append(job.dedupe_key)

    task = asyncio.create_task(Worker(database, Later(), {"work": handle}).run())
    job = await until_state(database, "a", "done")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await database.close()
    assert ran == ["a"]
    assert job.tries == 2


async def test_periodic_work_is_one_job_per_slot_and_one_after_a_downtime(database: Database) -> None:
    clock = ManualClock()
    every_minute = [Periodic("look", timedelta(minutes=1))]

    async def pass_by() -> None:
        """Two processes start, enqueue what is due and stop."""
        committed = asyncio.Event()
        database.on_commit(committed.set)
        tasks = [asyncio.create_task(run_periodic(database, clock, every_minute)) for _ in range(2)]
        async with asyncio.timeout(PATIENCE_S):
            await committed.wait()
        await asyncio.sleep(0.1)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    await pass_by()
    assert len(await stored(database)) == 1
    clock.advance(1)
    await pass_by()
    assert len(await stored(database)) == 1
    clock.advance(3 * 3600)
    await pass_by()
    assert len(await stored(database)) == 2


async def test_periodic_work_comes_back(database: Database) -> None:
    came = asyncio.Queue[str]()

    async def handle(job: Job) -> None:
        came.put_nowait(job.dedupe_key)

    task = asyncio.create_task(run_periodic(database, SystemClock(), [Periodic("look", timedelta(seconds=1))]))
    async with working(database, {"look": handle}), asyncio.timeout(PATIENCE_S):
        keys = [await came.get() for _ in range(3)]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert len(set(keys)) == 3


async def test_old_done_jobs_are_forgotten_and_dead_ones_kept(database: Database) -> None:
    async def handle(job: Job) -> None:
        if job.dedupe_key == "bad":
            raise ConfigurationError("never")

    async with working(database, {"work": handle}):
        await put(database, "good")
        await put(database, "bad")
        job = await until_state(database, "good", "done")
        await until_state(database, "bad", "dead")
    clock = ManualClock(SystemClock().now())
    prune = prune_jobs(database, clock)
    await prune(job)
    assert set(await stored(database)) == {"good", "bad"}
    clock.advance(2 * 86_400 + 60)
    await prune(job)
    assert set(await stored(database)) == {"bad"}


@pytest.mark.parametrize(("tries", "longest"), [(1, 1), (2, 2), (3, 4), (9, 256), (10, 300), (500, 300)])
def test_delays_double_to_five_minutes(tries: int, longest: float) -> None:
    delays = [retrying.delay_s(tries) for _ in range(200)]
    assert longest / 2 <= min(delays) < max(delays) <= longest
    assert len(set(delays)) > 100


def test_a_period_longer_than_jobs_are_remembered_is_refused() -> None:
    with pytest.raises(ValueError, match="between a second and a day"):
        Periodic("look", timedelta(days=3))


async def test_a_clock_that_is_set_back_strands_nothing(database: Database) -> None:
    """A job put off by a clock that was a year ahead runs now; periodic work goes on although its slots are used."""
    ahead = ManualClock(SystemClock().now() + timedelta(days=365))
    async with database.write() as session:
        await enqueue(session, ahead, "work", dedupe_key="stranded", payload={})
    await put(database, "for later", after_s=3_600)
    ran: list[str] = []

    async def handle(job: Job) -> None:
        ran.append(job.dedupe_key)

    async with working(database, {"work": handle}):
        await until_state(database, "stranded", "done")
        assert ran == ["stranded"]


async def test_periodic_work_goes_on_after_the_clock_was_set_back(database: Database) -> None:
    clock = ManualClock()
    beat = Periodic("beat", timedelta(seconds=1))
    changed = asyncio.Event()
    database.on_commit(changed.set)
    running = asyncio.create_task(run_periodic(database, clock, [beat]))
    try:
        async with asyncio.timeout(PATIENCE_S):
            for jobs, step_s in ((1, 1.0), (2, -1.0), (3, 1.0), (4, 1.0)):
                while len(await stored(database)) < jobs:
                    await changed.wait()
                    changed.clear()
                clock.step(step_s)
        assert len(await stored(database)) == 4
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
