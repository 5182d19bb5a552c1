"""A box that takes its configuration from a hub: both as processes, with a proxy between them that can go silent."""

import asyncio
import json
import random
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from edge.bundles import Bundles, Ledger
from tests.simulators.edge_process import EdgeProcess
from tests.simulators.fault_proxy import FaultProxy

PATIENCE_S = 40
GOOD = """
[health]
interval_s = 0.5
[devices.a]
driver = "tests.simulators.load_driver:SPEC"
options = {{ rate = {rate} }}
"""


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
        key = ""
        async with asyncio.timeout(PATIENCE_S):
            async for line in self._process.stdout:
                word, _, rest = line.decode().partition(" ")
                if word == "DIWANG_FIRST_KEY":
                    key = rest.strip()
                elif word == "DIWANG_HUB_READY":
                    ready = json.loads(rest)
                    break
        self.url, self.mqtt_port = ready["hub"], int(ready["broker"].rpartition(":")[2])
        self.api = httpx.AsyncClient(
            base_url=f"{self.url}/api/v1", headers={"Authorization": f"Bearer {key}"}, trust_env=False
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.api.aclose()
        self._process.terminate()
        await self._process.wait()

    async def config(self) -> dict[str, Any]:
        answer = await self.api.get("/configs/g1")
        found: dict[str, Any] = answer.json()
        return found

    async def publish(self, content: str) -> str:
        """Say what the box is to run; return the id of the bundle."""
        version = (await self.api.get("/configs/g1")).headers["ETag"]
        body = {"content": content, "reason": "test"}
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
async def site(folder: Path, more: str) -> AsyncIterator[Site]:
    async with HubProcess(folder / "hub") as hub, FaultProxy(hub.mqtt_port) as proxy:
        answer = await hub.api.post("/gateways", json={"gateway": "g1"})
        (folder / "password").write_text(answer.json()["password"])
        file = folder / "site.toml"
        file.write_text(
            f'[gateway]\nid = "g1"\n[hub]\nbroker = "mqtt://127.0.0.1:{proxy.port}"\napi = "{hub.url}"\n'
            f'password_file = "password"\n[configuration]\nlook_every_s = 1\n{more}[health]\ninterval_s = 0.5\n'
        )
        edge = await EdgeProcess(file).start()
        try:
            yield Site(hub, proxy, edge)
        finally:
            await edge.kill()


async def test_a_box_runs_what_the_hub_wants_and_says_what_it_cannot_run(tmp_path: Path) -> None:
    async with site(tmp_path, "") as box:
        hub = box.hub
        before = await hub.until("unmanaged", outcome="running", bundle="")
        assert before["reported"]["config"] == {"health": {"interval_s": 0.5}}

        bundle = await hub.publish(GOOD.format(rate=20))
        after = await hub.until("in_step", outcome="running", bundle=bundle)
        assert after["differences"] == []
        gateway = (await hub.api.get("/gateways/g1")).json()
        assert gateway["config"] == bundle
        assert [device["device"] for device in (await hub.api.get("/devices")).json()["items"] if device["driver"]] == [
            "a"
        ]

        bad = await hub.publish(GOOD.format(rate='"fast"').replace("[health]", "[helth]"))
        refused = await hub.until("refused", about=bad)
        assert refused["reported"]["bundle"] == bundle
        assert "helth: no such section" in refused["reported"]["detail"]
        assert "devices.a" in refused["reported"]["detail"]
        assert {"health", "helth"} <= {each["path"] for each in refused["differences"]}

        third = await hub.publish(GOOD.format(rate=30))
        await hub.until("in_step", bundle=third)
        assert await box.edge.end() == 0
        assert "secret" not in (tmp_path / "site.log").read_text()


async def test_a_box_that_loses_the_hub_by_a_change_goes_back_by_itself(tmp_path: Path) -> None:
    async with site(tmp_path, "trial_s = 2\n") as box:
        good = await box.hub.publish(GOOD.format(rate=20))
        await box.hub.until("in_step", bundle=good)
        box.proxy.set(blackhole=True)  # the broker is gone for the box; the hub's door still answers
        lost = await box.hub.publish(GOOD.format(rate=40))
        await box.seen(lambda: box.bundles.read().about == lost and box.bundles.read().outcome == "returned")
        assert box.bundles.read().running == good
        box.proxy.clear()
        box.proxy.reset()
        returned = await box.hub.until("returned", about=lost)
        assert returned["reported"]["bundle"] == good
        assert "not heard within 2 s" in returned["reported"]["detail"]
        assert box.edge.process is not None
        assert box.edge.process.returncode is None
        events = (await box.hub.api.get("/events")).json()["items"]
        assert "configuration.returned" in {each["type"] for each in events}
        better = await box.hub.publish(GOOD.format(rate=41))
        await box.hub.until("in_step", bundle=better)


async def test_killed_at_any_moment_of_a_change_it_runs_the_old_or_the_new(tmp_path: Path) -> None:
    chance = random.Random(20261124)
    async with site(tmp_path, "") as box:
        running = await box.hub.publish(GOOD.format(rate=20))
        await box.hub.until("in_step", bundle=running)
        for rate in range(21, 24):
            wanted = await box.hub.publish(GOOD.format(rate=rate))
            await asyncio.sleep(chance.uniform(0.2, 1.6))
            await box.edge.kill()
            ledger = box.bundles.read()
            assert ledger.running in {running, wanted}
            assert box.bundles.has(ledger.running)
            await box.edge.start()
            await box.hub.until("in_step", bundle=wanted)
            running = wanted


@pytest.mark.parametrize("damage", [b"", b"{", b"null", b"\xff\xfe"])
async def test_a_damaged_ledger_leaves_what_the_box_came_with(tmp_path: Path, damage: bytes) -> None:
    bundles = Bundles(tmp_path)
    bundles.write(Ledger(running="1-" + "0" * 12))
    (bundles.folder / "state.json").write_bytes(damage)
    assert bundles.read() == Ledger()
