"""Child processes are reaped, and a cancellation that comes as one ends is not lost."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process

import pytest

from drivers.reaping import reap

LONG_S = 60.0


async def child(code: str) -> Process:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdin=PIPE, stdout=PIPE)
    assert process.stdout is not None
    await process.stdout.readline()
    return process


UNTIL_TOLD = "print(flush=True); input()"
FOR_EVER = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); signal.pause()"


async def test_what_ends_by_itself_is_not_killed() -> None:
    process = await child(UNTIL_TOLD)
    await process.communicate(b"\n")
    await reap(process, LONG_S)
    assert process.returncode == 0


async def test_what_does_not_end_in_time_is_killed() -> None:
    process = await child(FOR_EVER)
    await reap(process, 0.05)
    assert process.returncode == -signal.SIGKILL


async def test_cancelled_it_kills_at_once_and_reaps() -> None:
    process = await child(FOR_EVER)
    reaping = asyncio.create_task(reap(process, LONG_S))
    await asyncio.sleep(0)
    reaping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reaping
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("steps", range(5))
async def test_a_cancellation_that_comes_as_the_process_ends_is_not_lost(steps: int) -> None:
    process = await child(UNTIL_TOLD)

    async def cut_off() -> None:
        await process.wait()
        for _ in range(steps):
            await asyncio.sleep(0)
        cancelled.append(reaping.cancel())

    cancelled: list[bool] = []
    cutting = asyncio.create_task(cut_off())
    await asyncio.sleep(0)  # it waits before the one that it cuts off, so that it is woken first
    reaping = asyncio.create_task(reap(process, LONG_S))
    await asyncio.sleep(0)
    os.kill(process.pid, signal.SIGTERM)
    await asyncio.wait((reaping, cutting))
    assert reaping.cancelled() == cancelled[0], "told that it is cancelled, and went on"
    assert process.returncode == -signal.SIGTERM
    assert steps or cancelled[0], "nothing was cut off"
