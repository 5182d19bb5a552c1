"""Child processes of the demonstration: started with a log of their own, stopped in order, and never left behind."""

import asyncio
import ctypes
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from protocol.errors import PermanentError

STOP_S: Final = 8.0
_PR_SET_PDEATHSIG: Final = 1
_libc: Final = ctypes.CDLL(None) if sys.platform == "linux" else None


class ChildDiedError(PermanentError):
    """A program of the demonstration ended by itself; the message names its log."""


@asynccontextmanager
async def running(
    command: Sequence[str], log: Path, environment: Mapping[str, str]
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a program while the block lasts. It gets SIGTERM at the end, SIGKILL when it will not go.

    It leads a process group of its own, so that Ctrl-C reaches only the parent, which stops everything in order.
    """
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(environment),
            start_new_session=True,
            preexec_fn=_die_with_parent if _libc else None,
        )
    try:
        yield process
    finally:
        await _stop(process)


async def watch(name: str, process: asyncio.subprocess.Process, log: Path) -> None:
    """Return never; raise ChildDiedError when the program ends."""
    status = await process.wait()
    raise ChildDiedError(f"{name} ended with status {status}; its log is {log}")


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _die_with_parent() -> None:
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
