"""What the benches of the edge measure against: the real hub with its broker, or a stand-in that only acknowledges."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM

import httpx

from tests.faults.programs import Hub
from tests.simulators.edge_process import EdgeProcess, site
from tests.simulators.hub_standin import HubStandIn, connected
from tests.simulators.nats_server import nats_server
from tests.simulators.ports import free_port


@dataclass(frozen=True, slots=True)
class FarEnd:
    """Where boxes connect: a broker's port, and how a box of some name is let in."""

    port: int
    hub: Hub | None = None
    http: httpx.AsyncClient | None = None
    stand_in: HubStandIn | None = None

    async def password(self, gateway: str) -> str:
        """Register a gateway at the hub and return its password; the stand-in's broker asks for none."""
        if self.http is None:
            return ""
        answer = await self.http.post("/api/v1/gateways", json={"gateway": gateway})
        answer.raise_for_status()
        return str(answer.json()["password"])


class _Forgetful(HubStandIn):
    """A stand-in that acknowledges and keeps nothing, so that a long run does not slow it down."""

    async def receive(self, topic: str, payload: bytes) -> None:
        await super().receive(topic, payload)
        for kept in (self.batches, self.payloads, self.arrivals, self.images, self.order, self.states):
            kept.clear()


@asynccontextmanager
async def stand_in(folder: Path) -> AsyncIterator[FarEnd]:
    """A real broker, and behind it a program that acknowledges each batch on receipt and stores nothing."""
    async with nats_server(folder / "nats") as broker, connected(_Forgetful(), broker.mqtt_port) as hub:
        yield FarEnd(broker.mqtt_port, stand_in=hub)


def _new_hub(folder: Path) -> tuple[Hub, str]:
    folder.mkdir(parents=True)
    hub = Hub(folder / "hub", folder / "hub.log", http_port=free_port(), mqtt_port=free_port())
    return hub, hub.new_key()


@asynccontextmanager
async def real_hub(folder: Path) -> AsyncIterator[FarEnd]:
    """The whole hub as `diwang hub run` starts it, with its own broker and every role."""
    hub, key = _new_hub(folder)
    await hub.start()
    try:
        await hub.ready()
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=hub.url, headers=headers, trust_env=False, timeout=60) as http:
            yield FarEnd(hub.mqtt_port, hub=hub, http=http)
    finally:
        await hub.end(SIGTERM)


def box(folder: Path, port: int, password: str, devices: dict[str, str], *, gateway: str) -> EdgeProcess:
    """Write a box's configuration; `devices` maps a name to the options of its load driver, in TOML."""
    folder.mkdir(parents=True, exist_ok=True)
    config = site(folder, port, gateway=gateway, devices=devices)
    return EdgeProcess(config, environment={"EDGE_BROKER_PASSWORD": password} if password else {})


@asynccontextmanager
async def running(edge: EdgeProcess) -> AsyncIterator[EdgeProcess]:
    """Run an agent for the length of the context, and stop it cleanly."""
    await edge.start()
    try:
        yield edge
    finally:
        await edge.end()
