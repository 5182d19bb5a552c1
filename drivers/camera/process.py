"""Starting a camera's own process, talking to it, and never leaving it behind."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from drivers.camera.channel import GRACE_S, Begin, FromChild, Take, from_child, pack
from drivers.reaping import reap
from protocol.errors import DeviceUnreachableError

PIECE = 65_536
KEPT_ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH")
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OPENCV_FFMPEG_THREADS": "1"}


class Child:
    """A running process of one camera."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._unpacker = from_child()
        self.pid = process.pid

    async def hear(self) -> list[FromChild]:
        """Wait for what it says next; cancelling loses nothing.

        Raises DeviceUnreachableError when the process is gone, UndecodableMessageError for bytes that are no message.
        """
        assert self._process.stdout is not None  # noqa: S101 - opened with a pipe
        while True:
            if messages := list(self._unpacker):
                return messages
            piece = await self._process.stdout.read(PIECE)
            if not piece:
                raise DeviceUnreachableError(f"the camera's process ended ({await self._process.wait()})")
            self._unpacker.feed(piece)

    def say(self, message: Begin | Take) -> None:
        """Send it a word; one that is gone does not hear it."""
        assert self._process.stdin is not None  # noqa: S101 - opened with a pipe
        self._process.stdin.write(pack(message))

    async def end(self) -> None:
        """Let it put down what it must, then see that it is gone. On return the process is reaped."""
        assert self._process.stdin is not None  # noqa: S101 - opened with a pipe
        self._process.stdin.close()
        await reap(self._process, GRACE_S + 0.5)

    def kill(self) -> None:
        """End it at once, whatever it is stuck in."""
        with suppress(ProcessLookupError):
            self._process.kill()


@asynccontextmanager
async def running(begin: Begin) -> AsyncIterator[Child]:
    """Start the process for a camera; on leaving, it is gone."""
    environment = {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ} | ONE_THREAD
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "drivers.camera.child", stdin=PIPE, stdout=PIPE, env=environment
    )
    child = Child(process)
    try:
        child.say(begin)
        yield child
    finally:
        await child.end()
