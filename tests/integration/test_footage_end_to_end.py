"""From a recorder that docks to the hub's evidence: the real agent, its real processes, the hub's real endpoint."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from hub.app import create_app
from protocol.messages import Command, Event, Outcome
from tests.serving import Api, served
from tests.simulators.edge_process import EdgeProcess
from tests.simulators.hub_standin import HubStandIn, connected
from tests.simulators.nats_server import NatsServer, nats_server
from tests.simulators.ports import free_port
from tests.simulators.recorder_units import film, put
from tests.simulators.tus_server import TusServer, tus_server

NAME = "DCIM/1234567_035012_2026112408{:02}00_{:04}.MP4"


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[NatsServer]:
    async with nats_server(tmp_path / "nats") as server:
        yield server


@pytest.fixture
async def hub(broker: NatsServer) -> AsyncIterator[HubStandIn]:
    async with connected(HubStandIn(), broker.mqtt_port) as standin:
        yield standin


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[TusServer]:
    async with tus_server(tmp_path / "door") as running:
        yield running


def site(folder: Path, broker: NatsServer, door: str, *, keep_days: float = 7.0) -> Path:
    (folder / "docks").mkdir(exist_ok=True)
    file = folder / "site.toml"
    file.write_text(
        f"""
[gateway]
id = "g1"
[hub]
broker = "mqtt://127.0.0.1:{broker.mqtt_port}"
api = "{door}"
[uplink]
ack_timeout_s = 0.5
[uploads]
longest_wait_s = 1.0
keep_days = {keep_days}
[configuration]
from_hub = false
[devices.recorder-1]
driver = "recorder"
options = {{ url = "mount:{folder}/docks", mounted = false, look_every_s = 0.1, reserve_bytes = 0 }}
"""
    )
    return file


def told(hub: HubStandIn, kind: str) -> list[Event]:
    return [record for record in hub.records if isinstance(record, Event) and record.type == kind]


async def arrived(server: TusServer, sha256: str) -> None:
    """Wait for a file of another process, which nothing announces."""
    async with asyncio.timeout(30):
        while sha256 not in server.kept:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def obeyed(hub: HubStandIn, name: str, **args: object) -> tuple[Outcome, dict[str, object]]:
    command = Command(
        id=uuid4(), device="recorder-1", name=name, args=args, expires_at=datetime.now(UTC) + timedelta(seconds=60)
    )
    await hub.order_command("g1", command)
    await hub.until(lambda: any(reply.id == command.id for reply in hub.replies))
    (reply,) = [reply for reply in hub.replies if reply.id == command.id]
    return reply.result, reply.data


async def test_a_clip_that_docks_reaches_the_hub_and_is_released_by_its_word(
    broker: NatsServer, hub: HubStandIn, server: TusServer, tmp_path: Path
) -> None:
    content = film(1)
    sha256 = hashlib.sha256(content).hexdigest()
    edge = await EdgeProcess(site(tmp_path, broker, f"http://127.0.0.1:{server.port}")).start()
    try:
        put(tmp_path / "docks/unit-a", NAME.format(30, 1), content)
        await hub.until(lambda: bool(told(hub, "recorder.clip")), within_s=30)
        await arrived(server, sha256)
        assert server.kept == {sha256: content}
        async with asyncio.timeout(30):
            while (await obeyed(hub, "footage"))[1]["at_the_hub"] != 1:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        here = tmp_path / "data/devices/recorder-1/footage" / sha256
        assert here.exists()
        assert await obeyed(hub, "release", sha256=sha256) == (Outcome.DONE, {"bytes": len(content)})
        assert not here.exists()
        result, _ = await obeyed(hub, "release", sha256="0" * 64)
        assert result is Outcome.FAILED
    finally:
        assert await edge.end() == 0


async def test_footage_waits_while_alarms_cannot_leave_and_survives_the_agent(
    broker: NatsServer, hub: HubStandIn, server: TusServer, tmp_path: Path
) -> None:
    content = film(2)
    sha256 = hashlib.sha256(content).hexdigest()
    hub.silent = True  # events arrive and are never acknowledged: they keep waiting on the box
    config = site(tmp_path, broker, f"http://127.0.0.1:{server.port}", keep_days=0.0)
    edge = await EdgeProcess(config).start()
    put(tmp_path / "docks/unit-a", NAME.format(30, 1), content)
    await hub.until(lambda: bool(told(hub, "recorder.clip")), within_s=30)
    await asyncio.sleep(1.5)
    assert server.kept == {}
    await edge.kill()
    hub.silent = False
    await edge.start()
    await arrived(server, sha256)
    # Kept for no day at all: the copy goes once it is confirmed.
    async with asyncio.timeout(30):
        while (tmp_path / "data/devices/recorder-1/footage" / sha256).exists():  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert await edge.end() == 0


async def test_footage_waits_for_a_door_that_opens_late(broker: NatsServer, hub: HubStandIn, tmp_path: Path) -> None:
    content, port = film(4), free_port()
    edge = await EdgeProcess(site(tmp_path, broker, f"http://127.0.0.1:{port}")).start()
    put(tmp_path / "docks/unit-a", NAME.format(30, 1), content)
    await hub.until(lambda: bool(told(hub, "recorder.clip")), within_s=30)
    async with asyncio.timeout(40):
        while "footage_waits" not in edge.log.read_text():  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    server = TusServer(tmp_path / "door", port)
    try:
        await server.start()
        await arrived(server, hashlib.sha256(content).hexdigest())
    finally:
        await server.kill()
        assert await edge.end() == 0


@pytest.mark.usefixtures("hub")
async def test_the_hub_itself_takes_it_as_evidence(broker: NatsServer, api: Api, tmp_path: Path) -> None:
    made = (await api.post("/api/v1/gateways", json={"gateway": "g1"})).json()
    content = film(3, seconds=4.0)
    put(tmp_path / "docks/unit-a", NAME.format(30, 1), content)
    async with served(create_app(api.parts)) as door:
        environment = {"EDGE_BROKER_PASSWORD": made["password"]}
        edge = await EdgeProcess(site(tmp_path, broker, door), environment=environment).start()
        try:
            async with asyncio.timeout(40):
                while not (items := (await api.get("/api/v1/footage?state=kept")).json()["items"]):  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
        finally:
            assert await edge.end() == 0
    (item,) = items
    assert item["sha256"] == hashlib.sha256(content).hexdigest()
    assert item["sm3"] == hashlib.new("sm3", content).hexdigest()
    assert (item["gateway"], item["device"], item["began_at"]) == ("g1", "recorder-1", "2026-11-24T00:30:00Z")
    assert api.parts.footage.path(item["sha256"]).read_bytes() == content
    assert made["password"] not in edge.log.read_text()
