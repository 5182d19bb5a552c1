"""The hub's link to any other MQTT broker: a shared subscription on MQTT 5, a plain one on 3.1.1; clean sessions.

A durable session would keep a dead worker's share for itself; the hub's own acknowledgements make it unnecessary.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final
from urllib.parse import urlsplit
from uuid import uuid4

import aiomqtt
from paho.mqtt import client as paho

from hub.broker.contract import Handler
from protocol import logs, topics
from protocol.errors import ConfigurationError, UplinkUnavailableError

log = logs.get(__name__)

SHARED: Final = f"$share/hub/{topics.everything_up()}"
PUBLISH_TIMEOUT_S: Final = 5.0
RETRY_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
_REFUSED_VERSION: Final = frozenset({1, 132})
_DEFAULT_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}


class MqttLink:
    """BrokerLink over aiomqtt. It speaks MQTT 5, and 3.1.1 to a broker that refuses 5."""

    def __init__(self, url: str, user: str, password: str, client_id: str | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
            raise ConfigurationError(f"broker.url {url!r}: expected mqtt://host:port or mqtts://host:port")
        self._host = parts.hostname
        self._port = parts.port or _DEFAULT_PORTS[parts.scheme]
        self._tls = ssl.create_default_context() if parts.scheme == "mqtts" else None
        self._user = user or None
        self._password = password or None
        self._client_id = client_id or f"hub-{uuid4().hex[:16]}"
        self._version = aiomqtt.ProtocolVersion.V5
        self._client: aiomqtt.Client | None = None
        self._handler: Handler | None = None
        self.connected = asyncio.Event()
        """Set while the broker can be used."""

    async def listen(self, handler: Handler) -> None:
        self._handler = handler
        if self._client is not None:
            await self._subscribe(self._client)

    async def publish(self, topic: str, payload: bytes) -> None:
        if self._client is None:
            raise UplinkUnavailableError("the broker is away")
        try:
            await self._client.publish(topic, payload, qos=1, timeout=PUBLISH_TIMEOUT_S)
        except aiomqtt.MqttError as error:
            raise UplinkUnavailableError(str(error)) from error

    async def publish_all(self, messages: Sequence[tuple[str, bytes]]) -> None:
        # Each waits for its PUBACK: side by side they cost one round trip, one after the other as many as there are.
        await asyncio.gather(*(self.publish(topic, payload) for topic, payload in messages))

    async def ping(self) -> None:
        if self._client is None:
            raise UplinkUnavailableError("the broker is away")

    async def run(self) -> None:
        """Stay connected until cancelled; say once when the broker is lost and once when it is back."""
        failures = 0
        while True:
            try:
                await self._session(returned=failures > 0)
            except aiomqtt.MqttError as error:
                if self._client is not None:
                    failures = 0
                self._client = None
                self.connected.clear()
                if self._fall_back(error):
                    continue
                if failures == 0:
                    log.warning("broker_lost", reason=str(error))
                await asyncio.sleep(RETRY_S[min(failures, len(RETRY_S) - 1)])
                failures += 1

    async def _session(self, *, returned: bool) -> None:
        speaks_5 = self._version is aiomqtt.ProtocolVersion.V5
        async with aiomqtt.Client(
            self._host,
            self._port,
            username=self._user,
            password=self._password,
            identifier=self._client_id,
            protocol=self._version,
            tls_context=self._tls,
            max_queued_outgoing_messages=10_000,
            # Without it an acknowledgement waits some 40 ms for more to go with it.
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
            clean_session=None if speaks_5 else True,
            clean_start=True if speaks_5 else paho.MQTT_CLEAN_START_FIRST_ONLY,
        ) as client:
            self._client = client
            if returned:
                log.info("broker_back")
            if self._handler is not None:
                await self._subscribe(client)
            self.connected.set()
            async for message in client.messages:
                if self._handler is not None and isinstance(message.payload, bytes | bytearray):
                    self._handler(str(message.topic), bytes(message.payload))

    async def _subscribe(self, client: aiomqtt.Client) -> None:
        wanted = SHARED if self._version is aiomqtt.ProtocolVersion.V5 else topics.everything_up()
        await client.subscribe(wanted, qos=1)

    def _fall_back(self, error: aiomqtt.MqttError) -> bool:
        """Speak 3.1.1 from now on when the broker does not know MQTT 5."""
        code = getattr(error, "rc", None)
        refused = getattr(code, "value", code) in _REFUSED_VERSION
        if refused and self._version is aiomqtt.ProtocolVersion.V5:
            log.info("broker_speaks_mqtt_3_1_1")
            self._version = aiomqtt.ProtocolVersion.V311
            return True
        return False


@asynccontextmanager
async def linked(url: str, user: str, password: str, client_id: str | None = None) -> AsyncIterator[MqttLink]:
    """Open a link that connects in the background and stays connected; `client_id` left out is a random one.

    Raises ConfigurationError when `url` is none of MQTT.
    """
    link = MqttLink(url, user, password, client_id)
    running = asyncio.create_task(link.run(), name="broker-link")
    try:
        yield link
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
