"""The real agent in its own process, a real broker, and a hub that speaks the wire contract."""

import asyncio
import signal
import ssl
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
import trustme

from protocol import topics
from protocol.clock import SystemClock
from protocol.messages import Command, DeviceState, Event, Outcome, Reading
from tests.simulators.edge_process import EdgeProcess, site
from tests.simulators.fault_proxy import FaultProxy
from tests.simulators.hub_standin import HubStandIn, connected
from tests.simulators.nats_server import NatsServer, nats_server

QUICK = "[uplink]\nack_timeout_s = 0.5\ntimeout_s = 2\n[health]\ninterval_s = 0.5\n"


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[NatsServer]:
    async with nats_server(tmp_path / "nats") as server:
        yield server


@pytest.fixture
async def hub(broker: NatsServer) -> AsyncIterator[HubStandIn]:
    async with connected(HubStandIn(), broker.mqtt_port) as standin:
        yield standin


async def seen(condition: Callable[[], bool], within_s: float) -> None:
    """Wait for what another process does to files and sockets, which nothing announces."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def started(config: Path) -> EdgeProcess:
    return await EdgeProcess(config).start()


def assert_nothing_lost_or_doubled(edge: EdgeProcess, hub: HubStandIn, device: str) -> None:
    """What the box said is safe is in the hub, once, and nothing is there that was never said."""
    stored = [int(number) for number in hub.values(device, "n")]
    assert len(stored) == len(set(stored))
    assert set(edge.numbers(device, "kept")) <= set(stored) <= set(edge.numbers(device, "said"))


def assert_no_gap(hub: HubStandIn) -> None:
    seqs = sorted(batch.seq for batch in hub.batches.values())
    assert seqs == list(range(1, len(seqs) + 1))
    assert all(len(payloads) == 1 for payloads in hub.payloads.values())


async def test_records_arrive_in_order_and_the_state_says_so(
    broker: NatsServer, hub: HubStandIn, tmp_path: Path
) -> None:
    edge = await started(site(tmp_path, broker.mqtt_port, devices={"a": "rate = 200, total = 300"}, more=QUICK))
    await hub.until(lambda: len(hub.values("a", "n")) == 300)
    assert hub.values("a", "n") == list(range(1, 301))
    await hub.until(lambda: hub.states[-1].devices[0].status is DeviceState.STOPPED)
    assert hub.states[-1].online
    assert await edge.end() == 0
    await hub.until(lambda: not hub.states[-1].online)
    assert edge.numbers("a", "kept") == list(range(1, 301))
    assert_no_gap(hub)


async def test_the_last_will_says_that_a_box_is_gone(broker: NatsServer, hub: HubStandIn, tmp_path: Path) -> None:
    edge = await started(site(tmp_path, broker.mqtt_port))
    await hub.until(lambda: bool(hub.states) and hub.states[-1].online)
    alive = hub.states[-1]
    await edge.kill()
    await hub.until(lambda: not hub.states[-1].online)
    assert (hub.states[-1].gateway, hub.states[-1].epoch) == (alive.gateway, alive.epoch)


async def test_it_keeps_everything_from_the_first_second_with_the_hub_never_reached(tmp_path: Path) -> None:
    server = NatsServer(tmp_path / "nats")
    config = site(
        tmp_path, server.mqtt_port, devices={"a": "rate = 500, total = 400", "b": "kind = 'event', total = 9"}
    )
    edge = await started(config)
    await seen(lambda: len(edge.numbers("a", "kept")) >= 400, within_s=20)
    await edge.kill()
    await edge.start()
    await server.start()
    try:
        async with connected(HubStandIn(), server.mqtt_port) as hub:
            await hub.until(lambda: len(hub.values("a", "n")) == 400)
            assert sorted(hub.values("a", "n")) == list(range(1, 401))
            assert_no_gap(hub)
        assert await edge.end() == 0
    finally:
        await server.kill()


async def test_what_the_hub_does_not_acknowledge_comes_again_the_same_even_after_a_kill(
    broker: NatsServer, hub: HubStandIn, tmp_path: Path
) -> None:
    hub.silent = True
    edge = await started(site(tmp_path, broker.mqtt_port, devices={"a": "rate = 300, total = 250"}, more=QUICK))
    await hub.until(lambda: len(hub.batches) >= 3)
    first = next(iter(hub.batches))
    await hub.until(lambda: hub.arrivals[first] >= 2)
    await edge.kill()
    seen = dict(hub.arrivals)
    await edge.start()
    await hub.until(lambda: all(hub.arrivals[batch] > count for batch, count in seen.items()))
    hub.silent = False
    await hub.until(lambda: 250 in hub.values("a", "n") and _empty(hub))
    assert_nothing_lost_or_doubled(edge, hub, "a")
    assert_no_gap(hub)
    assert await edge.end() == 0


async def test_killed_again_and_again_with_the_broker_wiped_nothing_is_lost(broker: NatsServer, tmp_path: Path) -> None:
    hub = HubStandIn()
    devices = {"a": "rate = 150", "b": "rate = 40, kind = 'event', image_bytes = 3000", "c": "rate = 60, burst = 6"}
    edge = EdgeProcess(site(tmp_path, broker.mqtt_port, devices=devices, more=QUICK))
    for life in range(6):
        await edge.start()
        async with connected(hub, broker.mqtt_port):
            target = len(hub.batches) + 12
            await hub.until(lambda target=target: len(hub.batches) >= target)  # type: ignore[misc]
            if life % 2:
                await edge.kill()
            else:
                await edge.end(signal.SIGTERM)
        if life % 3 == 1:
            await broker.kill(wipe=True)
            await broker.start()
    file = site(tmp_path, broker.mqtt_port, more=QUICK)
    assert file == edge.config
    async with connected(hub, broker.mqtt_port):
        await edge.start()
        await hub.until(lambda: bool(hub.states) and _empty(hub))
        await edge.end()
    for device in ("a", "c"):
        assert_nothing_lost_or_doubled(edge, hub, device)
    events = [record.data["n"] for record in hub.records if isinstance(record, Event) and record.device == "b"]
    assert set(edge.numbers("b", "kept")) <= set(events)
    assert len(events) == len(set(events))
    named = {digest for record in hub.records if isinstance(record, Event) for digest in record.images}
    assert named == set(hub.images)
    assert_no_gap(hub)


def _empty(hub: HubStandIn) -> bool:
    """The box has reported itself after everything older had been confirmed."""
    readings = [record for record in hub.records if isinstance(record, Reading) and record.device == "gateway"]
    return bool(readings) and readings[-1].values["outbox_records"] == 0.0


async def test_pictures_arrive_before_the_batch_that_names_them(
    broker: NatsServer, hub: HubStandIn, tmp_path: Path
) -> None:
    devices = {"cam": "kind = 'event', rate = 50, total = 5, image_bytes = 20000"}
    edge = await started(site(tmp_path, broker.mqtt_port, devices=devices))
    await hub.until(lambda: sum(isinstance(record, Event) for record in hub.records) == 5)
    for key, batch in hub.batches.items():
        for record in batch.records:
            for digest in record.images if isinstance(record, Event) else ():
                assert hub.order.index(digest) < hub.order.index(key)
    await edge.end()


async def test_a_batch_that_the_hub_refuses_does_not_stop_the_others(
    broker: NatsServer, hub: HubStandIn, tmp_path: Path
) -> None:
    hub.refuse = "not for me"
    edge = await started(site(tmp_path, broker.mqtt_port, devices={"a": "rate = 100"}, more=QUICK))
    await hub.until(lambda: len(hub.arrivals) >= 3)
    refused = set(hub.arrivals)
    hub.refuse = ""
    await hub.until(lambda: len(hub.batches) >= 20)
    assert all(hub.arrivals[batch] == 1 for batch in refused)
    await hub.until(lambda: any(isinstance(r, Event) and r.type == "outbox.quarantined" for r in hub.records))
    await edge.end()


async def test_a_half_open_link_is_noticed_and_replaced(broker: NatsServer, hub: HubStandIn, tmp_path: Path) -> None:
    async with FaultProxy(broker.mqtt_port) as proxy:
        edge = await started(site(tmp_path, proxy.port, devices={"a": "rate = 100, total = 500"}, more=QUICK))
        await hub.until(lambda: len(hub.batches) >= 5)
        proxy.set(blackhole=True)
        await seen(lambda: proxy.counters.connections >= 2, within_s=20)
        proxy.reset()
        proxy.clear()
        await hub.until(lambda: sorted(hub.values("a", "n")) == list(range(1, 501)))
        assert await edge.end() == 0
    assert_no_gap(hub)


@pytest.mark.parametrize(
    "faults", [{"cut_after": 3_000}, {"slice": 7, "latency_s": 0.01}, {"latency_s": 0.3, "jitter_s": 0.2}]
)
async def test_a_bad_link_loses_nothing(
    broker: NatsServer, hub: HubStandIn, tmp_path: Path, faults: dict[str, float]
) -> None:
    async with FaultProxy(broker.mqtt_port, seed=7) as proxy:
        proxy.set(**faults)
        edge = await started(site(tmp_path, proxy.port, devices={"a": "rate = 100, total = 200"}, more=QUICK))
        await seen(lambda: len(edge.numbers("a", "kept")) >= 200, within_s=25)
        proxy.clear()
        proxy.reset()
        await hub.until(lambda: set(range(1, 201)) <= set(hub.values("a", "n")))
        assert await edge.end() == 0


async def test_what_is_said_now_arrives_while_a_backlog_drains(broker: NatsServer, tmp_path: Path) -> None:
    config = site(tmp_path, broker.mqtt_port, devices={"a": "rate = 20000, burst = 400, total = 40000, fsync = false"})
    edge = await started(config)
    await seen(lambda: len(edge.numbers("a", "kept")) >= 40_000, within_s=40)
    await edge.end()
    site(
        tmp_path,
        broker.mqtt_port,
        devices={"b": "rate = 100"},
        more="[uplink]\nbatch_records = 20\nwindow = 2\n",
    )
    async with connected(HubStandIn(), broker.mqtt_port) as hub:
        await edge.start()
        await hub.until(lambda: len(hub.values("b", "n")) > 100)
        assert len(hub.values("a", "n")) < 40_000
        lags = [
            (batch.sent_at - record.at).total_seconds()
            for batch in hub.batches.values()
            for record in batch.records
            if record.device == "b"
        ]
        assert max(lags) < 5
        await edge.end()


def command(name: str, device: str | None = "a", *, valid_s: float = 60, **args: object) -> Command:
    return Command(
        id=SystemClock().new_id(),
        device=device,
        name=name,
        args=args,
        expires_at=datetime.now(UTC) + timedelta(seconds=valid_s),
    )


async def reply_to(hub: HubStandIn, number: UUID, count: int = 1) -> tuple[Outcome, dict[str, object]]:
    await hub.until(lambda: sum(reply.id == number for reply in hub.replies) >= count)
    reply = [reply for reply in hub.replies if reply.id == number][count - 1]
    return reply.result, reply.data


async def test_commands_are_obeyed_once_and_always_answered(
    broker: NatsServer, hub: HubStandIn, tmp_path: Path
) -> None:
    edge = await started(site(tmp_path, broker.mqtt_port, devices={"a": "rate = 5"}, more=QUICK))
    await hub.until(lambda: bool(hub.states) and any(d.status is DeviceState.OK for d in hub.states[-1].devices))

    echo = command("echo", number=7)
    for count in (1, 2, 3):
        await hub.order_command("g1", echo)
        assert await reply_to(hub, echo.id, count) == (Outcome.DONE, {"number": 7})
    assert edge.numbers("a", "obeyed") == [7]

    for order, expected in (
        (command("echo", valid_s=-1, number=8), Outcome.EXPIRED),
        (command("dance", number=9), Outcome.UNSUPPORTED),
        (command("echo", device="nobody", number=10), Outcome.UNSUPPORTED),
        (command("dance", device=None), Outcome.UNSUPPORTED),
        (command("fail", number=11), Outcome.FAILED),
        (command("status", device=None), Outcome.DONE),
        (command("trial", device=None, installation="i1"), Outcome.DONE),
        (command("trial", device=None, installation=7), Outcome.FAILED),
        (command("trial", device=None, severity="loud"), Outcome.FAILED),
        (command("restart", number=12), Outcome.DONE),
    ):
        await hub.order_command("g1", order)
        assert (await reply_to(hub, order.id))[0] is expected, order.name

    await hub.until(lambda: hub.states[-1].devices[0].status is DeviceState.OK)
    snapshot = command("snapshot", number=13)
    async with asyncio.timeout(10):
        while True:  # the device is opened anew after the order to restart
            await hub.order_command("g1", snapshot)
            result, _ = await reply_to(hub, snapshot.id)
            if result is Outcome.DONE:
                break
            snapshot = command("snapshot", number=13)
    await hub.until(lambda: bool(hub.images))
    assert edge.numbers("a", "obeyed") == [7, 11, 13]
    assert await edge.end() == 0


async def last_events(hub: HubStandIn, **args: object) -> list[str]:
    order = msgspec.structs.replace(command("logs", device=None), args=args)
    await hub.order_command("g1", order)
    result, data = await reply_to(hub, order.id)
    assert result is Outcome.DONE
    assert isinstance(data["lines"], list)
    return [msgspec.json.decode(line)["event"] for line in data["lines"]]


async def test_the_box_shows_its_last_log_lines_to_who_asks(
    broker: NatsServer, hub: HubStandIn, tmp_path: Path
) -> None:
    edge = await started(site(tmp_path, broker.mqtt_port, devices={"a": "rate = 5"}))
    await hub.until(lambda: bool(hub.values("a", "n")))
    assert {"agent_started", "uplink_connected"} <= set(await last_events(hub))
    assert len(await last_events(hub, lines=1)) == 1
    assert await last_events(hub, level="error") == []
    for args in ({"lines": 0}, {"lines": True}, {"level": "loud"}):
        order = msgspec.structs.replace(command("logs", device=None), args=args)
        await hub.order_command("g1", order)
        assert (await reply_to(hub, order.id))[0] is Outcome.FAILED
    assert await edge.end() == 0


async def test_a_command_interrupted_by_death_is_not_begun_again(
    broker: NatsServer, hub: HubStandIn, tmp_path: Path
) -> None:
    edge = await started(site(tmp_path, broker.mqtt_port, devices={"a": "rate = 5"}))
    await hub.until(lambda: bool(hub.values("a", "n")))
    order = command("wait", number=1, seconds=60)
    await hub.order_command("g1", order)
    await seen(lambda: bool(edge.numbers("a", "obeyed")), within_s=10)
    await edge.kill()
    before = len(hub.values("a", "n"))
    await edge.start()
    await hub.until(lambda: len(hub.values("a", "n")) > before)
    await hub.order_command("g1", order)
    assert await reply_to(hub, order.id) == (Outcome.FAILED, {"reason": "interrupted"})
    assert edge.numbers("a", "obeyed") == [1]
    await edge.end()


async def test_the_box_restarts_when_told_and_remembers_its_reply(
    broker: NatsServer, hub: HubStandIn, tmp_path: Path
) -> None:
    edge = await started(site(tmp_path, broker.mqtt_port))
    await hub.until(lambda: bool(hub.states) and hub.states[-1].online)
    order = command("restart", device=None)
    await hub.order_command("g1", order)
    await hub.until(lambda: any(not state.online for state in hub.states))
    await hub.until(lambda: hub.states[-1].online)
    await hub.order_command("g1", order)
    assert (await reply_to(hub, order.id))[0] is Outcome.DONE
    assert edge.process is not None
    assert edge.process.returncode is None
    assert edge.log.read_text().count("agent_started") == 2
    assert await edge.end() == 0


async def test_a_box_with_a_wrong_clock_learns_the_offset(broker: NatsServer, hub: HubStandIn, tmp_path: Path) -> None:
    hub.clock_offset = timedelta(days=-400)
    edge = await started(site(tmp_path, broker.mqtt_port, more=QUICK))
    await hub.until(lambda: bool(hub.values("gateway", "clock_offset_s")))
    assert hub.values("gateway", "clock_offset_s")[-1] == pytest.approx(-400 * 86_400, abs=5)
    expired = command("status", device=None, valid_s=-200 * 86_400)
    await hub.order_command("g1", expired)
    assert (await reply_to(hub, expired.id))[0] is Outcome.DONE
    await edge.end()


async def test_nonsense_from_the_broker_harms_nothing(broker: NatsServer, hub: HubStandIn, tmp_path: Path) -> None:
    edge = await started(site(tmp_path, broker.mqtt_port, devices={"a": "rate = 50"}))
    await hub.until(lambda: bool(hub.batches))
    assert hub.client is not None
    for payload in (b"", b"{", b"\xff" * 100, b'{"batches": 7}', b"null", b"[" * 60_000):
        await hub.client.publish(topics.ack("g1"), payload, qos=1)
        await hub.client.publish(topics.command("g1"), payload, qos=1)
    await hub.acknowledge("g1", batches=(SystemClock().new_id(),), images=("0" * 64,))
    before = len(hub.batches)
    await hub.until(lambda: len(hub.batches) > before + 5)
    assert await edge.end() == 0


async def test_over_tls_a_turned_bit_costs_the_link_and_nothing_else(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("127.0.0.1", "localhost").private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    tls = f'tls {{ cert_file: "{tmp_path}/server.pem", key_file: "{tmp_path}/server.pem" }}'
    users = 'authorization { users: [ { user: g1, password: "secret-of-g1" }, { user: hub, password: hub } ] }'
    (tmp_path / "password").write_text("secret-of-g1\n")
    trust = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    async with (
        nats_server(tmp_path / "nats", authorization=users, tls=tls) as server,
        connected(HubStandIn(), server.mqtt_port, username="hub", password="hub", tls=trust) as hub,  # noqa: S106
        FaultProxy(server.mqtt_port, seed=11) as proxy,
    ):
        config = site(tmp_path, proxy.port, devices={"a": "rate = 100, total = 300"}, more=QUICK)
        secure = config.read_text().replace("mqtt://127.0.0.1", "mqtts://localhost")
        config.write_text(secure.replace("[uplink]", 'ca_file = "ca.pem"\npassword_file = "password"\n[uplink]'))
        edge = await started(config)
        await hub.until(lambda: len(hub.batches) > 3)
        proxy.set(flip=0.2)
        await seen(lambda: proxy.counters.flips >= 3 and proxy.counters.connections >= 2, 30)
        proxy.clear()
        await hub.until(lambda: sorted(hub.values("a", "n")) == list(range(1, 301)))
        assert await edge.end() == 0
        assert "secret-of-g1" not in edge.log.read_text()
