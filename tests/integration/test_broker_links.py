"""The hub behind brokers that it does not run: any MQTT broker, a NATS server; and two workers sharing one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import aiomqtt
import pytest

from hub.broker.contract import BrokerLink
from hub.broker.mqtt_link import MqttLink, linked
from hub.broker.nats_link import connected
from hub.broker.opening import open_broker
from hub.config import BrokerSection
from protocol.clock import SystemClock
from protocol.errors import ConfigurationError, UplinkUnavailableError
from protocol.messages import Reading
from tests.simulators.intake import PASSWORD, running_chain
from tests.simulators.mosquitto import Mosquitto, mosquitto
from tests.simulators.mqtt_gateway import connected_gateway
from tests.simulators.ports import free_port

CLOCK = SystemClock()
MESSAGES = 60


async def anyone(gateway: str, password: str) -> bool:
    return bool(gateway and password)


@pytest.fixture
async def foreign(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    async with mosquitto(tmp_path / "mosquitto") as broker:
        yield broker


async def heard_by_two(first: BrokerLink, second: BrokerLink, port: int, *, login: bool) -> tuple[int, int, int]:
    """Publish to two listening workers; return how many each heard and how many different ones both heard."""
    heard: tuple[list[bytes], list[bytes]] = ([], [])
    done = asyncio.Event()

    def note(worker: int, payload: bytes) -> None:
        heard[worker].append(payload)
        if len({*heard[0], *heard[1]}) == MESSAGES:
            done.set()

    await first.listen(lambda _, payload: note(0, payload))
    await second.listen(lambda _, payload: note(1, payload))
    names = {"username": "g1", "password": PASSWORD} if login else {}
    async with aiomqtt.Client("127.0.0.1", port, identifier="g1", timeout=5, **names) as client:  # type: ignore[arg-type]
        for number in range(MESSAGES):
            await client.publish("diwang/v1/g1/up/batch", b"%d" % number, qos=1)
        async with asyncio.timeout(10):
            await done.wait()
    return len(heard[0]), len(heard[1]), len({*heard[0], *heard[1]})


async def ready(link: MqttLink) -> None:
    async with asyncio.timeout(5):
        await link.connected.wait()


async def test_a_gateway_is_served_through_mosquitto_also_after_its_death(tmp_path: Path, foreign: Mosquitto) -> None:
    async with running_chain(tmp_path, broker={"kind": "mqtt", "url": foreign.url}) as chain:
        await chain.register("g1")
        await chain.intake.registry.refresh()
        for seq in (1, 2):
            async with asyncio.timeout(20), connected_gateway(foreign.url, "g1", PASSWORD) as gateway:
                batch = gateway.batch(seq, [Reading(device="d1", at=CLOCK.now(), values={"t": float(seq)})])
                while batch.id not in gateway.acked:
                    await gateway.send(batch)
                    try:
                        await gateway.until_acked(batch, within_s=1)
                    except TimeoutError:
                        continue
            if seq == 1:
                await foreign.kill()
                await foreign.start()
        assert [each.value for each in await chain.telemetry.last()] == [2.0]


async def test_an_unregistered_gateway_is_not_acknowledged_and_leaves_nothing(
    tmp_path: Path, foreign: Mosquitto
) -> None:
    async with (
        running_chain(tmp_path, broker={"kind": "mqtt", "url": foreign.url}) as chain,
        connected_gateway(foreign.url, "stranger", "") as gateway,
    ):
        batch = gateway.batch(1, [Reading(device="d1", at=CLOCK.now(), values={"t": 1.0})])
        await gateway.send(batch)
        with pytest.raises(TimeoutError):
            await gateway.until_acked(batch, within_s=0.5)
        assert await chain.telemetry.last() == []
        await chain.register("stranger")
        await chain.intake.registry.refresh()
        await gateway.send(batch)
        await gateway.until_acked(batch)


async def test_two_workers_share_what_mosquitto_brings(foreign: Mosquitto) -> None:
    async with linked(foreign.url, "", "") as first, linked(foreign.url, "", "") as second:
        await ready(first)
        await ready(second)
        one, two, different = await heard_by_two(first, second, foreign.port, login=False)
        assert (one + two, different) == (MESSAGES, MESSAGES)
        assert one
        assert two


async def test_a_broker_of_mqtt_3_1_1_only_is_spoken_to_in_its_language(tmp_path: Path) -> None:
    """The embedded NATS server refuses MQTT 5, as many brokers do: here the link meets it as a gateway would."""
    async with (
        open_broker(BrokerSection(mqtt_port=0), "", tmp_path / "broker", anyone, CLOCK) as broker,
        linked(broker.address, "g1", PASSWORD, client_id="g1") as link,
    ):
        await ready(link)
        heard: asyncio.Queue[bytes] = asyncio.Queue()
        await broker.link.listen(lambda _, payload: heard.put_nowait(payload))
        await link.publish("diwang/v1/g1/up/batch", b"3.1.1")
        async with asyncio.timeout(5):
            assert await heard.get() == b"3.1.1"


async def test_two_workers_share_what_nats_brings(tmp_path: Path) -> None:
    """Queue group: each message reaches exactly one worker."""
    folder = tmp_path / "broker"
    async with AsyncExitStack() as parts:
        broker = await parts.enter_async_context(open_broker(BrokerSection(mqtt_port=0), "", folder, anyone, CLOCK))
        settings = (folder / "nats.conf").read_text(encoding="utf-8")
        word = settings.split('"user": "hub"')[1].split('"password": "')[1].split('"')[0]
        port = settings.split('"port": ')[1].split(",")[0].strip()
        beside = BrokerSection(
            kind="nats", url=f"nats://127.0.0.1:{port}", username="hub", public_url="mqtt://district"
        )
        second = await parts.enter_async_context(open_broker(beside, word, tmp_path / "none", anyone, CLOCK))
        assert (second.address, second.door) == ("mqtt://district", None)
        mqtt_port = int(broker.address.rsplit(":", 1)[1])
        one, two, different = await heard_by_two(broker.link, second.link, mqtt_port, login=True)
        assert (one + two, different) == (MESSAGES, MESSAGES)
        assert one
        assert two


async def test_a_broker_that_is_not_there_is_named() -> None:
    port = free_port()
    with pytest.raises(UplinkUnavailableError, match="diwang-hub"):
        async with connected(f"nats://127.0.0.1:{port}", "hub", "", "diwang-hub"):
            pass
    async with linked(f"mqtt://127.0.0.1:{port}", "", "") as link:
        with pytest.raises(UplinkUnavailableError):
            await link.ping()
        with pytest.raises(UplinkUnavailableError):
            await link.publish("diwang/v1/g1/down/ack", b"")


@pytest.mark.parametrize("url", ["", "http://host", "mqtt://", "nats://host"])
async def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"broker\.url"):
        async with linked(url, "", ""):
            pass
