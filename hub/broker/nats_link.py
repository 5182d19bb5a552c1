"""The hub's link to NATS: a queue group over every gateway's `up` branch, so that hub workers share the load."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

import nats
import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from hub import metrics
from hub.broker import subjects
from hub.broker.contract import Handler
from protocol import logs, topics
from protocol.errors import UplinkUnavailableError

log = logs.get(__name__)

QUEUE_GROUP: Final = "hub"
EVERYTHING_UP: Final = f"{topics.ROOT}/*/up/>".replace("/", ".")
CONNECT_TIMEOUT_S: Final = 2
REACHED_WITHIN_S: Final = 5
RECONNECT_WAIT_S: Final = 0.1
FLUSH_TIMEOUT_S: Final = 2
PENDING_BYTES: Final = 64 * 1024 * 1024
"""What may wait between the socket and the hub. Beyond it messages are dropped; gateways send them again."""

SAID_EVERY_S: Final = 10.0
PENDING_MESSAGES: Final = 100_000


class NatsLink:
    """BrokerLink over an open NATS client."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def listen(self, handler: Handler) -> None:
        async def take(message: Msg) -> None:
            handler(subjects.topic(message.subject), message.data)

        await self._client.subscribe(
            EVERYTHING_UP,
            queue=QUEUE_GROUP,
            cb=take,
            pending_msgs_limit=PENDING_MESSAGES,
            pending_bytes_limit=PENDING_BYTES,
        )
        await self.ping()

    async def publish(self, topic: str, payload: bytes) -> None:
        if not self._client.is_connected:
            raise UplinkUnavailableError("the broker is away")
        try:
            await self._client.publish(subjects.subject(topic), payload)
        except (nats.errors.Error, OSError) as error:
            raise UplinkUnavailableError(str(error) or type(error).__name__) from error

    async def publish_all(self, messages: Sequence[tuple[str, bytes]]) -> None:
        for topic, payload in messages:
            await self.publish(topic, payload)

    async def ping(self) -> None:
        if not self._client.is_connected:
            raise UplinkUnavailableError("the broker is away")
        try:
            await self._client.flush(timeout=FLUSH_TIMEOUT_S)
        except (nats.errors.Error, OSError) as error:
            raise UplinkUnavailableError(str(error) or type(error).__name__) from error


@asynccontextmanager
async def connected(url: str, user: str, password: str, name: str) -> AsyncIterator[Client]:
    """Open a NATS client that reconnects for ever; say once when the broker is lost and once when it is back.

    Raises UplinkUnavailableError when the broker cannot be reached at first.
    """
    about = log.bind(link=name)
    lost = closing = False
    dropping_said_at = -SAID_EVERY_S

    async def on_disconnect() -> None:
        nonlocal lost
        if not lost and not closing:
            about.warning("broker_lost")
        lost = True

    async def on_reconnect() -> None:
        nonlocal lost
        about.info("broker_back")
        lost = False

    async def on_error(error: Exception) -> None:
        nonlocal dropping_said_at
        if isinstance(error, nats.errors.SlowConsumerError):
            metrics.INGEST_DROPPED.labels("link").inc()
            now = asyncio.get_running_loop().time()
            if now >= dropping_said_at + SAID_EVERY_S:
                dropping_said_at = now
                about.warning("messages_dropped_before_ingest", reason=str(error))
        elif not lost and not isinstance(error, nats.errors.UnexpectedEOF | OSError):
            about.warning("broker_link_error", reason=str(error) or type(error).__name__)

    try:
        async with asyncio.timeout(REACHED_WITHIN_S):
            client = await nats.connect(
                url,
                user=user,
                password=password,
                name=name,
                connect_timeout=CONNECT_TIMEOUT_S,
                allow_reconnect=True,
                max_reconnect_attempts=-1,
                reconnect_time_wait=RECONNECT_WAIT_S,
                disconnected_cb=on_disconnect,
                reconnected_cb=on_reconnect,
                error_cb=on_error,
            )
    except (nats.errors.Error, OSError, TimeoutError) as error:
        raise UplinkUnavailableError(f"{name}: {error or type(error).__name__}") from error
    try:
        yield client
    finally:
        closing = True
        with suppress(nats.errors.Error, OSError):
            await client.close()
