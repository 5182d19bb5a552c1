"""One MQTT 3.1.1 connection to the hub's broker. The library's errors end here."""

import asyncio
import logging
import math
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import aiomqtt
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.reasoncodes import ReasonCode

from edge.config import Config, Hub, Secret
from edge.enrolment.identity import clock_is_behind
from protocol import logs, topics
from protocol.clock import SystemClock
from protocol.errors import ConfigurationError, UplinkUnavailableError

_REFUSED: Final = 0x80  # MQTT 3.1.1 section 3.9.3
# MQTT 3.1.1 section 3.2.2.3, and what the library makes of it (MQTT 5.0 section 3.2.2.2).
_WHO: Final = "the broker does not know this gateway or its password: is it revoked, its password or certificate old?"
_WHO_CODES: Final = frozenset({4, 5, 134, 135})
_LIBRARY_LOG: Final = logging.getLogger("edge.link.mqtt")
_LIBRARY_LOG.setLevel(logging.ERROR)  # it warns of a dozen publications under way, which is what a window is

_NO_CHECK_TIME: Final = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL (x509_vfy.h), which Python has no name for."""

log = logs.get(__name__)


class Link:
    """An open connection. Every method raises UplinkUnavailableError when the broker does not answer in time."""

    def __init__(self, client: aiomqtt.Client, timeout_s: float) -> None:
        self._client = client
        self._timeout_s = timeout_s

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish with QoS 1; on return the broker has it, which says nothing about the hub."""
        try:
            async with _answer_within(self._timeout_s):
                await self._client.publish(topic, payload, qos=1, retain=retain, timeout=math.inf)
        except (aiomqtt.MqttError, ValueError) as error:
            raise UplinkUnavailableError(str(error)) from error

    async def messages(self) -> AsyncIterator[tuple[str, bytes]]:
        """Yield topic and payload of what arrives, until the link breaks."""
        try:
            async for message in self._client.messages:
                payload = message.payload
                yield str(message.topic), payload if isinstance(payload, bytes) else b""
        except aiomqtt.MqttError as error:
            raise UplinkUnavailableError(str(error)) from error


@asynccontextmanager
async def connect(config: Config, secret: Secret, tls: ssl.SSLContext | None, will: bytes) -> AsyncIterator[Link]:
    """Connect with a clean session, subscribe to this gateway's `down` branch, and disconnect at the end.

    `will` is what the broker publishes, retained, on the state topic when the link breaks.
    """
    gateway = config.gateway.id
    host, port, _ = config.broker
    try:
        async with aiomqtt.Client(
            host,
            port,
            identifier=gateway,
            username=config.hub.username or gateway,
            password=secret.reveal() or None,
            tls_context=tls,
            will=aiomqtt.Will(topics.state(gateway), will, qos=1, retain=True),
            clean_session=True,
            keepalive=config.hub.keepalive_s,
            timeout=config.uplink.timeout_s,
            max_inflight_messages=4 * config.uplink.window,
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
            logger=_LIBRARY_LOG,
        ) as client:
            _obey_cancellation()
            async with _answer_within(config.uplink.timeout_s):
                branch = [(topics.ack(gateway), 1), (topics.command(gateway), 1)]
                granted = await client.subscribe(branch, timeout=math.inf)
            if any((code if isinstance(code, int) else code.value) >= _REFUSED for code in granted):
                raise UplinkUnavailableError("the broker refuses the subscription to the gateway's own branch")
            yield Link(client, config.uplink.timeout_s)
    except MqttConnectError as error:
        code = error.rc.value if isinstance(error.rc, ReasonCode) else error.rc
        reason = _WHO if code in _WHO_CODES else f"the broker refuses the connection: {error}"
        raise UplinkUnavailableError(reason) from error
    except (aiomqtt.MqttError, ValueError) as error:
        raise UplinkUnavailableError(str(error)) from error


def _obey_cancellation() -> None:
    """Stop if told to: connecting, the library loses a cancellation that comes together with the broker's answer."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


@asynccontextmanager
async def _answer_within(seconds: float) -> AsyncIterator[None]:
    """Bound a wait; the library's own timeouts lose a cancellation that comes together with the answer."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise UplinkUnavailableError(f"no answer from the broker within {seconds} s") from error


def tls_context(hub: Hub, *, tls: bool) -> ssl.SSLContext | None:
    """Return the TLS settings, None for a plain connection; raise ConfigurationError for files that do not serve."""
    if not tls:
        return None
    try:
        context = ssl.create_default_context(cafile=hub.ca_file or None)
        if hub.cert_file:
            context.load_cert_chain(hub.cert_file, hub.key_file)
            if clock_is_behind(Path(hub.cert_file), SystemClock().now()):
                # A box without a clock battery must reach the hub to learn the time. Root and name are verified still.
                log.warning("certificates_taken_without_their_time", reason="the clock is before the box's enrolment")
                context.verify_flags |= _NO_CHECK_TIME
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"hub: the certificates cannot be used: {error}") from error
    return context
