"""A real mosquitto on a free loopback port; it lets everybody in and keeps nothing."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.simulators.ports import free_port

BINARY = shutil.which("mosquitto", path=f"{os.defpath}:/usr/sbin:/usr/local/sbin:{os.environ.get('PATH', '')}")
INSTALL = "mosquitto is missing: apt-get install mosquitto"


@dataclass
class Mosquitto:
    """One broker, which can be killed and started again on the same port."""

    folder: Path
    port: int
    process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def configure(self, settings: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "mosquitto.conf").write_text(settings, encoding="utf-8")

    async def start(self) -> None:
        assert BINARY is not None
        self.process = await asyncio.create_subprocess_exec(
            BINARY, "-c", self.folder / "mosquitto.conf", stderr=asyncio.subprocess.PIPE
        )
        assert self.process.stderr is not None
        async with asyncio.timeout(10):
            async for line in self.process.stderr:
                if b"running" in line:
                    return

    async def kill(self) -> None:
        if self.process is not None:
            with suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()
            self.process = None


@asynccontextmanager
async def mosquitto(folder: Path, more: str = "") -> AsyncIterator[Mosquitto]:
    if BINARY is None:
        pytest.fail(INSTALL)
    port = free_port()
    settings = f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nset_tcp_nodelay true\nuser root\n"
    broker = Mosquitto(folder, port)
    broker.configure(settings + more)
    await broker.start()
    try:
        yield broker
    finally:
        await broker.kill()
