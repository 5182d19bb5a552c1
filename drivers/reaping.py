"""Ending child processes, so that none is left behind, and whoever ends them can still be told to stop."""

import asyncio
from asyncio.subprocess import Process
from collections.abc import Callable
from contextlib import suppress


async def reap(process: Process, within_s: float, kill: Callable[[], None] | None = None) -> None:
    """Let a process end by itself, and kill it after that time, or when this is cancelled.

    On return, or when CancelledError is raised, it is reaped. `kill` is called in any case, in place of killing the
    process alone: it may have children that outlive it.
    """
    try:
        with suppress(TimeoutError):
            # Not asyncio.wait_for: in Python 3.11 it loses a cancellation that comes as the process ends.
            async with asyncio.timeout(within_s):
                await process.wait()
    finally:
        with suppress(ProcessLookupError):
            (kill or process.kill)()
        await process.wait()
