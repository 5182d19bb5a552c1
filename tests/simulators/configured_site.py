"""A real hub and a real box as processes, with a proxy between box and broker that can go silent."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import httpx

from edge.bundles import Bundles
from tests.simulators.edge_process import EdgeProcess
from tests.simulators.fault_proxy import FaultProxy

PATIENCE_S = 60


class HubProcess:
    """A running `diwang hub run`, and a client of its API."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._process: asyncio.subprocess.Process
        self.api: httpx.AsyncClient
        self.url = ""
        self.mqtt_port = 0

    async def __aenter__(self) -> Self:
        arguments = ["-m", "diwang", "hub", "run", "--data", str(self._data), "--port", "0", "--mqtt-port", "0"]
        with (self._data.parent / "hub.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, *arguments, stdout=asyncio.subprocess.PIPE, stderr=log
            )
        assert self._process.stdout is not None
        token = ""
        async with asyncio.timeout(PATIENCE_S):
            async for line in self._process.stdout:
                word, _, rest = line.decode().partition(" ")
                if word == "DIWANG_SETUP_TOKEN":
                    token = rest.strip()
                elif word == "DIWANG_HUB_READY":
                    ready = json.loads(rest)
                    break
        self.url, self.mqtt_port = ready["hub"], int(ready["broker"].rpartition(":")[2])
        self.api = httpx.AsyncClient(base_url=f"{self.url}/api/v1", trust_env=False)
        made = await self.api.post(f"{self.url}/setup", json={"token": token, "name": "test"})
        self.api.headers["Authorization"] = f"Bearer {made.json()['key']}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.api.aclose()
        self._process.terminate()
        await self._process.wait()

    async def config(self) -> dict[str, Any]:
        answer = await self.api.get("/configs/g1")
        found: dict[str, Any] = answer.json()
        return found

    async def publish(self, content: str, release: str = "") -> str:
        """Say what the box is to run; return the id of the bundle."""
        version = (await self.api.get("/configs/g1")).headers["ETag"]
        body = {"content": content, "release": release, "reason": "test"}
        answer = await self.api.put("/configs/g1", json=body, headers={"If-Match": version})
        assert answer.status_code == 200, answer.text
        bundle: str = answer.json()["desired"]["bundle"]
        return bundle

    async def until(self, standing: str, **wanted: object) -> dict[str, Any]:
        """Wait until the box stands so, as the hub knows; another process' words are not announced here."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                found = await self.config()
                reported = found["reported"] or {}
                if found["standing"] == standing and all(reported.get(name) == value for name, value in wanted.items()):
                    return found
                await asyncio.sleep(0.05)


class Site:
    """A box whose broker lies behind a proxy."""

    def __init__(self, hub: HubProcess, proxy: FaultProxy, edge: EdgeProcess) -> None:
        self.hub, self.proxy, self.edge = hub, proxy, edge
        self.bundles = Bundles(edge.config.parent / "data")

    async def seen(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():  # noqa: ASYNC110 - files of another process, which nothing announces
                await asyncio.sleep(0.02)


@asynccontextmanager
async def site(
    folder: Path, more: str, *, look_every_s: int = 60, environment: dict[str, str] | None = None
) -> AsyncIterator[Site]:
    """Run a hub and a box that is registered there; `more` goes into the box's own file."""
    async with HubProcess(folder / "hub") as hub, FaultProxy(hub.mqtt_port) as proxy:
        answer = await hub.api.post("/gateways", json={"gateway": "g1"})
        (folder / "password").write_text(answer.json()["password"])
        file = folder / "site.toml"
        file.write_text(
            f'[gateway]\nid = "g1"\n[hub]\nbroker = "mqtt://127.0.0.1:{proxy.port}"\napi = "{hub.url}"\n'
            f'password_file = "password"\n[configuration]\nlook_every_s = {look_every_s}\n{more}'
            "[health]\ninterval_s = 0.5\n"
        )
        edge = await EdgeProcess(file, environment=environment).start()
        try:
            yield Site(hub, proxy, edge)
        finally:
            await edge.kill()
