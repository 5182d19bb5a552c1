"""The real agent where it hurts: drivers that hang, disks that fill, clocks that jump, doors that stay shut."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Protocol

import pytest
import trustme

from edge.process import EXIT_HUNG
from protocol.messages import Event
from tests.faults.programs import Tmpfs
from tests.integration.test_edge_to_hub import QUICK, assert_no_gap, seen
from tests.simulators.edge_process import EdgeProcess, faketime, site
from tests.simulators.hub_standin import HubStandIn, connected
from tests.simulators.nats_server import NatsServer, nats_server
from tests.unit.test_outbox_on_a_full_disk import overwrite_the_middle

STOPPED_WITHIN_S = 20.0


class Start(Protocol):
    """Starts an agent, with more in its environment."""

    async def __call__(self, config: Path, **environment: str) -> EdgeProcess: ...


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Start agents that are gone after the test, whatever became of it."""
    edges: list[EdgeProcess] = []

    async def begin(config: Path, **environment: str) -> EdgeProcess:
        edges.append(EdgeProcess(config, environment=environment))
        return await edges[-1].start()

    yield begin
    for edge in edges:
        await edge.kill()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Tmpfs]:
    """A real disk of 24 MB."""
    small = Tmpfs(tmp_path / "disk", 24)
    yield small
    small.unmount()


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[NatsServer]:
    async with nats_server(tmp_path / "nats") as server:
        yield server


@pytest.fixture
async def hub(broker: NatsServer) -> AsyncIterator[HubStandIn]:
    async with connected(HubStandIn(), broker.mqtt_port) as standin:
        yield standin


async def test_a_driver_that_never_closes_delays_the_end_and_does_not_prevent_it(
    broker: NatsServer, hub: HubStandIn, tmp_path: Path, start: Start
) -> None:
    ways = ("waits", "blocks")
    edges = []
    for way in ways:
        (tmp_path / way).mkdir()
        devices = {way: f"total = 5, closing = '{way}'"}
        edges.append(await start(site(tmp_path / way, broker.mqtt_port, gateway=way, devices=devices)))
    await hub.until(lambda: all(5 in hub.values(way, "n") for way in ways))
    await asyncio.sleep(0.5)  # by then each is stuck in closing, before anybody tells it to stop
    assert await asyncio.gather(*(edge.end(within_s=STOPPED_WITHIN_S) for edge in edges)) == [4, 4]
    assert all("not_stopped_in_time" in edge.log.read_text() for edge in edges)


async def test_a_full_disk_holds_the_sources_back_and_loses_nothing(
    broker: NatsServer, hub: HubStandIn, disk: Tmpfs, tmp_path: Path, start: Start
) -> None:
    ledgers = {name: str(tmp_path / name) for name in ("r", "e")}
    devices = {
        "r": f"rate = 150, total = 1500, ledger = '{ledgers['r']}'",
        "e": f"rate = 20, total = 150, kind = 'event', image_bytes = 20000, ledger = '{ledgers['e']}'",
    }
    edge = await start(on_disk(disk, site(tmp_path, broker.mqtt_port, devices=devices, more=QUICK)))
    await hub.until(lambda: len(hub.batches) > 3)
    hub.silent = True
    disk.fill()
    await seen(lambda: "disk_full" in edge.log.read_text(), within_s=30)
    await seen(lambda: "sources_are_held_back" in edge.log.read_text(), within_s=30)
    hub.silent = False
    disk.free()
    await hub.until(lambda: len(events(hub, "e")) == 150, within_s=40)
    await hub.until(lambda: 1500 in hub.values("r", "n"), within_s=40)
    # What is missing was dropped and counted. The box's own figures are telemetry too, two a second.
    await hub.until(lambda: 0 <= dropped(hub) - (1500 - len(hub.values("r", "n"))) <= 30, within_s=40)
    assert sorted(events(hub, "e")) == list(range(1, 151))
    assert len(set(hub.values("r", "n"))) == len(hub.values("r", "n"))
    assert await edge.end() == 0
    assert edge.log.read_text().count('"disk_full"') == 1


async def test_with_its_disk_full_it_still_ends_when_told(
    hub: HubStandIn, broker: NatsServer, disk: Tmpfs, tmp_path: Path, start: Start
) -> None:
    hub.silent = True
    devices = {"e": f"rate = 50, kind = 'event', image_bytes = 20000, ledger = '{tmp_path / 'e'}'"}
    edge = await start(on_disk(disk, site(tmp_path, broker.mqtt_port, devices=devices, more=QUICK)))
    await hub.until(lambda: len(hub.batches) > 3)
    disk.fill()
    await seen(lambda: "sources_are_held_back" in edge.log.read_text(), within_s=30)
    # By itself, or by its deadline where what waits for the disk holds it up; never by a crash.
    assert await edge.end(within_s=STOPPED_WITHIN_S) in {0, EXIT_HUNG}
    hub.silent = False
    disk.free()
    await edge.start()
    kept = {int(line) for line in (tmp_path / "e" / "kept").read_text().split()}
    assert len(kept) > 3
    await hub.until(lambda: kept <= set(events(hub, "e")))


async def test_a_damaged_outbox_ends_the_agent_once_and_not_for_ever(tmp_path: Path, start: Start) -> None:
    broker = NatsServer(tmp_path / "nats")
    edge = await start(site(tmp_path, broker.mqtt_port, devices={"a": "rate = 2000, burst = 100, total = 4000"}))
    await seen(lambda: len(edge.numbers("a", "kept")) == 4000, within_s=20)
    assert await edge.end() == 0
    overwrite_the_middle(tmp_path / "data" / "outbox.db")
    await broker.start()
    try:
        await edge.start()
        assert edge.process is not None
        async with asyncio.timeout(20):
            assert await edge.process.wait() == 1
        assert "database_damaged" in edge.log.read_text()
        await edge.start()
        async with connected(HubStandIn(), broker.mqtt_port) as hub:
            await hub.until(lambda: bool(hub.values("gateway", "outbox_records")))
        assert await edge.end() == 0
    finally:
        await broker.kill()


async def test_a_clock_that_jumps_costs_nothing_and_is_said(
    broker: NatsServer, hub: HubStandIn, tmp_path: Path, start: Start
) -> None:
    clock = tmp_path / "clock"
    clock.write_text("+0")
    devices = {"a": "rate = 20, total = 200"}
    edge = await start(site(tmp_path, broker.mqtt_port, devices=devices, more=QUICK), **faketime(clock))
    for count, jump in enumerate(("+86400", "-86400", "-1700000000", "+0"), 1):
        await hub.until(lambda: bool(hub.batches), within_s=60)
        clock.write_text(jump)
        await said(edge, "clock_stepped", count)
    await hub.until(lambda: sorted(hub.values("a", "n")) == list(range(1, 201)), within_s=60)
    await hub.until(lambda: sum(e.type == "clock.stepped" for e in hub.records if isinstance(e, Event)) == 4, 60)
    assert_no_gap(hub)
    assert await edge.end() == 0


async def said(edge: EdgeProcess, event: str, count: int) -> None:
    await seen(lambda: edge.log.read_text().count(event) >= count, within_s=30)


def on_disk(disk: Tmpfs, config: Path) -> Path:
    """Move the box's own data to a disk."""
    text = config.read_text().replace('id = "g1"', f'id = "g1"\ndata = "{disk.folder / "data"}"')
    config.write_text(text)
    return config


def dropped(hub: HubStandIn) -> float:
    """Return how much telemetry the box says that it had to drop."""
    return max(hub.values("gateway", "outbox_dropped_total"), default=0.0)


def events(hub: HubStandIn, device: str) -> list[int]:
    return [record.data["n"] for record in hub.records if isinstance(record, Event) and record.device == device]


async def test_a_certificate_opens_the_door_without_a_password(tmp_path: Path, start: Start) -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("127.0.0.1", "localhost").private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    for issuer, name in ((authority, "g1"), (authority, "hub"), (stranger, "stranger")):
        issued = issuer.issue_cert("g1" if name == "stranger" else name)
        issued.private_key_pem.write_to_path(tmp_path / f"{name}.key")
        issued.cert_chain_pems[0].write_to_path(tmp_path / f"{name}.pem")
    server_files = f'cert_file: "{tmp_path}/server.pem", key_file: "{tmp_path}/server.pem"'
    tls = f'tls {{ {server_files}, ca_file: "{tmp_path}/ca.pem", verify_and_map: true }}'
    users = 'authorization { users: [ { user: "g1" }, { user: "hub" } ] }'
    trust = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    trust.load_cert_chain(str(tmp_path / "hub.pem"), str(tmp_path / "hub.key"))
    async with (
        nats_server(tmp_path / "nats", authorization=users, tls=tls) as server,
        connected(HubStandIn(), server.mqtt_port, tls=trust) as hub,
    ):
        config = site(tmp_path, server.mqtt_port, devices={"a": "rate = 100, total = 50"}, more=QUICK)
        text = config.read_text().replace("mqtt://127.0.0.1", "mqtts://localhost")
        files = 'ca_file = "ca.pem"\ncert_file = "{0}.pem"\nkey_file = "{0}.key"\n[uplink]'
        config.write_text(text.replace("[uplink]", files.format("stranger")))
        edge = await start(config)
        await seen(lambda: "UNKNOWN_CA" in edge.log.read_text() and "uplink_lost" in edge.log.read_text(), within_s=10)
        assert await edge.end() == 0
        config.write_text(text.replace("[uplink]", files.format("g1")))
        await edge.start()
        await hub.until(lambda: sorted(hub.values("a", "n")) == list(range(1, 51)))
        assert await edge.end() == 0


async def test_a_door_that_stays_shut_is_said_in_words_and_a_new_reason_anew(tmp_path: Path, start: Start) -> None:
    users = 'authorization { users: [ { user: g1, password: "right" } ] }'
    server = NatsServer(tmp_path / "nats", authorization=users)
    edge = await start(site(tmp_path, server.mqtt_port, more=QUICK), EDGE_BROKER_PASSWORD="wrong-one")  # noqa: S106
    await seen(lambda: "Connection refused" in edge.log.read_text(), within_s=10)
    await server.start()
    try:
        await seen(lambda: "does not know this gateway or its password" in edge.log.read_text(), within_s=15)
        connections = (server.log.read_text()).count("authentication error")
        await seen(lambda: server.log.read_text().count("authentication error") > connections + 2, within_s=30)
        assert edge.log.read_text().count("uplink_lost") == 2
        assert "wrong-one" not in edge.log.read_text()
        assert await edge.end() == 0
    finally:
        await server.kill()


async def test_a_hub_that_says_nothing_is_said_once(
    broker: NatsServer, hub: HubStandIn, tmp_path: Path, start: Start
) -> None:
    hub.silent = True
    edge = await start(site(tmp_path, broker.mqtt_port, devices={"a": "rate = 20, total = 20"}, more=QUICK))
    await hub.until(lambda: max(hub.arrivals.values(), default=0) >= 4)
    assert edge.log.read_text().count("hub_does_not_answer") == 1
    hub.silent = False
    await hub.until(lambda: sorted(hub.values("a", "n")) == list(range(1, 21)))
    await seen(lambda: edge.log.read_text().count("hub_answers_again") == 1, within_s=10)
    assert await edge.end() == 0
