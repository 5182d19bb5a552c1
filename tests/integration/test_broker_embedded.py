"""The embedded broker: who may say what, and what survives its death."""

import asyncio
import os
import shutil
import signal
import socket
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiomqtt
import nats
import nats.errors
import psutil
import pytest
from nats.aio.client import Client as NATS  # noqa: N814 - the library's own name for it
from nats.aio.msg import Msg

from hub.broker.opening import Broker, open_broker
from hub.config import BrokerSection
from protocol.clock import SystemClock

ROOT = Path(__file__).parents[2]
PASSWORDS = {"g1": "one", "g2": "two"}


async def admits(gateway: str, password: str) -> bool:
    return PASSWORDS.get(gateway) == password


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Broker]:
    async with open_broker(BrokerSection(mqtt_port=0), "", folder, admits, SystemClock()) as broker:
        yield broker


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    async with opened(tmp_path / "broker") as broker:
        yield broker


def port_of(broker: Broker) -> int:
    return int(broker.address.rsplit(":", 1)[1])


def client(
    broker: Broker,
    name: str,
    password: str | None = None,
    client_id: str | None = None,
    will: aiomqtt.Will | None = None,
) -> aiomqtt.Client:
    return aiomqtt.Client(
        "127.0.0.1",
        port_of(broker),
        username=name,
        password=password or PASSWORDS.get(name, ""),
        identifier=client_id or name,
        will=will,
        # aiomqtt does not notice a connection that is reset before its CONNACK: it waits out its own timeout.
        timeout=2.5,
    )


def broker_pid(folder: Path) -> int:
    return int((folder / "nats.pid").read_text(encoding="utf-8"))


async def test_it_keeps_its_settings_to_itself_and_ends_with_the_hub(tmp_path: Path) -> None:
    async with opened(tmp_path / "broker"):
        mode = stat.S_IMODE((tmp_path / "broker" / "nats.conf").stat().st_mode)
        assert mode == 0o600
        pid = broker_pid(tmp_path / "broker")
        listening = {each.laddr.ip for each in psutil.Process(pid).net_connections("tcp") if each.status == "LISTEN"}
        assert listening == {"127.0.0.1"}
    assert not psutil.pid_exists(pid)


async def test_a_gateway_reaches_the_hub_and_the_hub_a_gateway(broker: Broker) -> None:
    heard: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
    await broker.link.listen(lambda topic, payload: heard.put_nowait((topic, payload)))
    async with client(broker, "g1") as gateway:
        await gateway.subscribe("diwang/v1/g1/down/#", qos=1)
        await gateway.publish("diwang/v1/g1/up/batch", b"up", qos=1)
        async with asyncio.timeout(5):
            assert await heard.get() == ("diwang/v1/g1/up/batch", b"up")
            await broker.link.publish("diwang/v1/g1/down/ack", b"down")
            message = await anext(aiter(gateway.messages))
        assert (message.topic.value, message.payload) == ("diwang/v1/g1/down/ack", b"down")


@pytest.mark.parametrize(
    ("name", "password", "client_id"),
    [
        ("g1", "wrong", "g1"),
        ("g3", "three", "g3"),
        ("g2", "two", "g1"),
        ("g1", "one", "g1-2"),
        ("hub", "one", "hub"),
        ("system", "", "system"),
        ("G1", "one", "G1"),
    ],
)
async def test_who_is_not_who_he_says_is_refused(broker: Broker, name: str, password: str, client_id: str) -> None:
    async with client(broker, "g1") as real:
        await real.subscribe("diwang/v1/g1/down/ack")
        with pytest.raises(aiomqtt.MqttError):
            async with client(broker, name, password, client_id):
                pass
        await broker.link.publish("diwang/v1/g1/down/ack", b"still there")
        async with asyncio.timeout(5):
            message = await anext(aiter(real.messages))
        assert message.payload == b"still there"


async def test_a_client_without_a_name_is_refused(broker: Broker) -> None:
    with pytest.raises(aiomqtt.MqttError):
        async with aiomqtt.Client("127.0.0.1", port_of(broker), timeout=5):
            pass


FOREIGN = [
    "diwang/v1/g2/down/ack",
    "diwang/v1/g2/up/batch",
    "diwang/v1/g1/up/batch",
    "diwang/v1/+/down/#",
    "#",
    "$SYS/#",
    "$JS/#",
    "$MQTT/#",
    "_INBOX/#",
    "$G/#",
]


@pytest.mark.parametrize("topic", FOREIGN)
async def test_a_gateway_reads_nothing_but_its_own_down(broker: Broker, topic: str) -> None:
    async with client(broker, "g1") as gateway:
        granted = await gateway.subscribe(topic, qos=0)
        codes = [getattr(each, "value", each) for each in granted]
        assert codes == [0x80]


async def test_a_gateway_says_nothing_but_under_its_own_up(broker: Broker, tmp_path: Path) -> None:
    """QoS 1 publishes that are not allowed are confirmed and dropped by the server; nothing may come of them."""
    heard: list[str] = []
    settings = (tmp_path / "broker" / "nats.conf").read_text(encoding="utf-8")
    system = settings.split('"user": "hub"')[1].split('"password": "')[1].split('"')[0]
    port = settings.split('"port": ')[1].split(",")[0].strip()
    watcher = await nats.connect(f"nats://127.0.0.1:{port}", user="hub", password=system)
    try:

        async def note(message: Msg) -> None:
            heard.append(message.subject)

        await watcher.subscribe(">", cb=note)
        stream = watcher.jetstream()
        await stream.add_stream(name="TELE", subjects=["tele.>"])
        await watcher.flush()
        heard.clear()
        async with client(broker, "g1") as gateway:
            for topic in (
                "diwang/v1/g2/up/batch",
                "diwang/v1/g1/down/ack",
                "diwang/v2/g1/up/batch",
                "diwang/v1/g1/up",
                "$JS/API/STREAM/DELETE/TELE",
                "$SYS/REQ/USER/AUTH",
                "$SYS/REQ/SERVER/PING/CONNZ",
                "$MQTT/msgs/x",
                "_INBOX/x",
            ):
                await gateway.publish(topic, b"{}", qos=1)
            await gateway.publish("diwang/v1/g1/up/batch", b"allowed", qos=1)
        await watcher.flush()
        async with asyncio.timeout(5):
            while "diwang.v1.g1.up.batch" not in heard:
                await watcher.flush()
        own = [subject for subject in heard if not subject.startswith(("$JS.", "$MQTT.", "_INBOX.", "$SYS."))]
        assert own == ["diwang.v1.g1.up.batch"]
        assert "$JS.API.STREAM.DELETE.TELE" not in heard
        assert (await stream.stream_info("TELE")).config.name == "TELE"
    finally:
        await watcher.close()


@pytest.mark.parametrize("qos", [0, 1, 2])
async def test_neither_a_will_nor_a_retained_message_reaches_beyond(broker: Broker, tmp_path: Path, qos: int) -> None:
    settings = (tmp_path / "broker" / "nats.conf").read_text(encoding="utf-8")
    password = settings.split('"user": "hub"')[1].split('"password": "')[1].split('"')[0]
    port = settings.split('"port": ')[1].split(",")[0].strip()
    heard: list[str] = []

    async def note(message: Msg) -> None:
        heard.append(message.subject)

    watcher = await nats.connect(f"nats://127.0.0.1:{port}", user="hub", password=password)
    try:
        await watcher.subscribe(">", cb=note)
        stream = watcher.jetstream()
        await stream.add_stream(name="TELE", subjects=["tele.>"])
        forbidden = ("diwang/v1/g2/up/state", "diwang/v1/g1/down/command", "$JS/API/STREAM/DELETE/TELE")
        own = "diwang/v1/g1/up/state"
        for topic in (*forbidden, own):
            async with client(broker, "g1") as gateway:
                await gateway.publish(topic, b"retained", qos=qos, retain=True)
            # A will that may not be said is refused at the door, or not said.
            with suppress(aiomqtt.MqttError):
                async with client(broker, "g1", will=aiomqtt.Will(topic, b"will", qos, retain=True)) as dying:
                    connection = dying._client.socket()
                    assert isinstance(connection, socket.socket)
                    connection.shutdown(socket.SHUT_RDWR)
        async with asyncio.timeout(10):
            while heard.count("diwang.v1.g1.up.state") < 2:
                await watcher.flush()
        said = {subject for subject in heard if not subject.startswith(("$JS.ACK", "$MQTT.", "_INBOX."))}
        assert {subject for subject in said if subject.startswith("diwang.")} == {"diwang.v1.g1.up.state"}
        assert "$JS.API.STREAM.DELETE.TELE" not in said
        kept = await stream.stream_info("$MQTT_rmsgs", subjects_filter=">")
        assert set(kept.state.subjects or {}) == {"$MQTT.rmsgs.diwang.v1.g1.up.state"}
    finally:
        await watcher.close()


async def test_gateways_cannot_use_the_port_of_the_hub(broker: Broker, tmp_path: Path) -> None:
    settings = (tmp_path / "broker" / "nats.conf").read_text(encoding="utf-8")
    port = settings.split('"port": ')[1].split(",")[0].strip()

    async def quiet(_: Exception) -> None:
        pass

    refused = NATS()
    with pytest.raises(nats.errors.Error):
        await refused.connect(
            f"nats://127.0.0.1:{port}", user="g1", password=PASSWORDS["g1"], allow_reconnect=False, error_cb=quiet
        )
    transport: Any = refused._transport
    transport.close()  # the library leaves the socket of a refused connection open
    assert broker.door is not None


async def test_the_door_knows_who_is_in_and_shows_him_out(broker: Broker) -> None:
    assert broker.door is not None
    async with client(broker, "g1") as first, client(broker, "g2"):
        assert await broker.door.connected() == {"g1", "g2"}
        await broker.door.expel("g1")
        with pytest.raises(aiomqtt.MqttError):
            async with asyncio.timeout(5):
                await anext(aiter(first.messages))
        assert await broker.door.connected() == {"g2"}


async def test_it_comes_back_when_it_is_killed_and_its_data_is_wiped(tmp_path: Path) -> None:
    folder = tmp_path / "broker"
    async with opened(folder) as broker:
        heard: asyncio.Queue[bytes] = asyncio.Queue()
        await broker.link.listen(lambda _, payload: heard.put_nowait(payload))
        pid = broker_pid(folder)
        for round_number in range(2):
            shutil.rmtree(folder / "jetstream")
            os.kill(broker_pid(folder), signal.SIGKILL)
            async with asyncio.timeout(8):
                while True:
                    try:
                        async with client(broker, "g1") as gateway:
                            await gateway.publish("diwang/v1/g1/up/batch", b"%d" % round_number, qos=1)
                            await asyncio.wait_for(heard.get(), 0.5)
                            break
                    except (aiomqtt.MqttError, TimeoutError):
                        await asyncio.sleep(0.05)
        assert broker_pid(folder) != pid


CHILD = """
import asyncio, sys
from pathlib import Path
from tests.integration.test_broker_embedded import opened
async def main():
    async with opened(Path(sys.argv[1])):
        print("open", flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""


async def test_it_dies_with_a_hub_that_is_killed(tmp_path: Path) -> None:
    hub = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CHILD, tmp_path / "broker", cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert hub.stdout is not None
    assert await hub.stdout.readline() == b"open\n"
    server = psutil.Process(broker_pid(tmp_path / "broker"))
    hub.kill()
    await hub.wait()
    server.wait(5)
    async with opened(tmp_path / "broker") as broker, client(broker, "g1"):
        pass


async def test_a_broker_left_behind_is_ended_and_another_process_is_not(tmp_path: Path) -> None:
    folder = tmp_path / "broker"
    folder.mkdir()
    idle = (sys.executable, "-c", "import time; time.sleep(60)")
    left = await asyncio.create_subprocess_exec(*idle, "--config", folder / "nats.conf")
    other = await asyncio.create_subprocess_exec(*idle)
    try:
        (folder / "nats.pid").write_text(str(left.pid), encoding="utf-8")
        async with opened(folder):
            assert await left.wait() == -signal.SIGKILL
        (folder / "nats.pid").write_text(str(other.pid), encoding="utf-8")
        async with opened(folder):
            assert other.returncode is None
    finally:
        other.kill()
        await other.wait()
