"""A real RTSP server on loopback, as a process that can be killed, stopped and started again."""

import asyncio
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.simulators.ports import free_port


class RtspServer:
    """Serves the MP4 files of a folder over RTSP/TCP. Use as a context; `start` and `kill` as often as wanted."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._process: Process | None = None

    def url(self, clip: str) -> str:
        return f"rtsp://127.0.0.1:{self.port}/{clip}?play_count=0"

    async def start(self) -> None:
        """Return once it takes connections."""
        program = str(Path(sys.executable).parent / "rtsp-server")
        arguments = ("-d", str(self._folder), "-H", "127.0.0.1", "-p", str(self.port))
        self._process = await asyncio.create_subprocess_exec(
            program, *arguments, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL
        )
        async with asyncio.timeout(30):
            while True:
                with suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                    writer.close()
                    await writer.wait_closed()
                    return
                await asyncio.sleep(0.05)  # nothing tells when another program listens

    def pause(self) -> None:
        """Let it hang with its connections open."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    async def kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()
