"""Opening the broker that the settings ask for: our own, a NATS cluster, or any MQTT broker."""

import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from hub.broker.callout import Admission, Issuer, answer_connects
from hub.broker.contract import BrokerLink, Door
from hub.broker.mqtt_link import linked
from hub.broker.nats_link import NatsLink, connected
from hub.broker.server import EmbeddedServer, Listening, free_port
from hub.broker.system import SystemAccount
from hub.config import BrokerSection
from protocol.clock import Clock
from protocol.messages import MAX_MESSAGE_BYTES

ACCOUNT: Final = "DIWANG"
LOOPBACK: Final = "127.0.0.1"
MAX_PAYLOAD: Final = 2 * MAX_MESSAGE_BYTES
"""Twice the contract's limit: the server cuts a connection above it without a word, the hub refuses with a reason."""

AUTHORISED_WITHIN_S: Final = 2
"""A gateway that connects while nobody answers for the hub is let go after this, and tries again."""

BROKER_MEMORY: Final = 64 * 1024 * 1024
BROKER_FILES: Final = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Broker:
    """An open broker: the link, the address to tell gateways, and the door where the hub has one."""

    link: BrokerLink
    address: str
    door: Door | None = None


@asynccontextmanager
async def open_broker(
    settings: BrokerSection, password: str, folder: Path, admits: Admission, clock: Clock
) -> AsyncIterator[Broker]:
    """Open the broker for as long as the block runs.

    `folder` is the embedded broker's own, absolute. Raises ConfigurationError when the embedded one does not start, and
    UplinkUnavailableError when a NATS broker beside the hub cannot be reached.
    """
    address = settings.public_url or settings.url
    match settings.kind:
        case "embedded":
            async with _embedded(settings, folder, admits, clock) as broker:
                yield broker
        case "nats":
            async with connected(settings.url, settings.username, password, "diwang-hub") as client:
                yield Broker(NatsLink(client), address)
        case "mqtt":
            async with linked(settings.url, settings.username, password) as link:
                yield Broker(link, address)


@asynccontextmanager
async def _embedded(settings: BrokerSection, folder: Path, admits: Admission, clock: Clock) -> AsyncIterator[Broker]:
    listening = Listening(
        settings.host,
        settings.mqtt_port or free_port(settings.host),
        settings.client_port or free_port(LOOPBACK),
    )
    issuer = Issuer()
    hub_password, system_password = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    written = _settings(listening, folder, issuer.public_key, hub_password, system_password)
    url = f"nats://{LOOPBACK}:{listening.client_port}"
    async with AsyncExitStack() as parts:
        await parts.enter_async_context(EmbeddedServer(folder, written, clock).running())
        system = await parts.enter_async_context(connected(url, "system", system_password, "diwang-system"))
        # A client of its own: decisions about connections must not wait behind a backlog of messages.
        gate = await parts.enter_async_context(connected(url, "hub", hub_password, "diwang-gate"))
        await answer_connects(gate, issuer, ACCOUNT, admits)
        await gate.flush()
        client = await parts.enter_async_context(connected(url, "hub", hub_password, "diwang-hub"))
        address = settings.public_url or f"mqtt://{listening.mqtt_host}:{listening.mqtt_port}"
        yield Broker(NatsLink(client), address, SystemAccount(system, ACCOUNT))


def _settings(listening: Listening, folder: Path, issuer: str, hub_password: str, system_password: str) -> str:
    """Return the server's settings: NATS reads JSON. The two users below are the only ones that are not asked about."""
    return msgspec.json.format(
        msgspec.json.encode(
            {
                "server_name": "diwang",
                "host": LOOPBACK,
                "port": listening.client_port,
                "max_payload": MAX_PAYLOAD,
                # MQTT needs JetStream for sessions and retained states; the hub relies on neither.
                "jetstream": {
                    "store_dir": str(folder / "jetstream"),
                    "max_memory_store": BROKER_MEMORY,
                    "max_file_store": BROKER_FILES,
                },
                "mqtt": {"host": listening.mqtt_host, "port": listening.mqtt_port},
                "accounts": {
                    ACCOUNT: {"jetstream": "enabled", "users": [{"user": "hub", "password": hub_password}]},
                    "SYSTEM": {"users": [{"user": "system", "password": system_password}]},
                },
                "system_account": "SYSTEM",
                "authorization": {
                    "timeout": AUTHORISED_WITHIN_S,
                    "auth_callout": {"issuer": issuer, "account": ACCOUNT, "auth_users": ["hub", "system"]},
                },
            }
        ).decode()
    )
