"""Opening the broker that the settings ask for: our own, a NATS cluster, or any MQTT broker."""

import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from hub.broker.callout import Admission, Identify, Issuer, answer_connects, by_certificate, by_password
from hub.broker.contract import BrokerLink, Door
from hub.broker.joined import JoinedDoors, JoinedLinks
from hub.broker.mqtt_link import linked
from hub.broker.nats_link import NatsLink, connected
from hub.broker.server import EmbeddedServer, Listening, free_port
from hub.broker.system import SystemAccount
from hub.certificates.serving import ServerCertificate
from hub.certificates.settings import bracketed
from hub.config import BrokerSection
from protocol.clock import Clock
from protocol.messages import MAX_MESSAGE_BYTES

ACCOUNT: Final = "DIWANG"
LOOPBACK: Final = "127.0.0.1"
MAX_PAYLOAD: Final = 2 * MAX_MESSAGE_BYTES
"""Twice the contract's limit: the server cuts a connection above it without a word, the hub refuses with a reason."""

AUTHORISED_WITHIN_S: Final = 2
"""A gateway that connects while nobody answers for the hub is let go after this, and tries again."""

SHAKEN_WITHIN_S: Final = 10
"""How long a TLS handshake may take over a slow link."""

BROKER_MEMORY: Final = 64 * 1024 * 1024
BROKER_FILES: Final = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Broker:
    """An open broker: the link, the addresses to tell gateways, and the door where the hub has one.

    `secure_address` (mqtts://…) is for those that have a certificate; empty where there is no such listener.
    """

    link: BrokerLink
    address: str
    door: Door | None = None
    secure_address: str = ""


@dataclass(frozen=True, slots=True)
class Secure:
    """What the TLS listener needs: where it listens, under which name it is told, and who may come in.

    `admits` decides by the serial number of a certificate that is whole.
    """

    host: str
    port: int
    name: str
    certificate: ServerCertificate
    admits: Admission


@asynccontextmanager
async def open_broker(  # noqa: PLR0917 - opened in one place
    settings: BrokerSection,
    password: str,
    folder: Path,
    admits: Admission,
    clock: Clock,
    secure: Secure | None = None,
) -> AsyncIterator[Broker]:
    """Open the broker for as long as the block runs.

    `folder` is the embedded broker's own, absolute; `secure` opens a TLS listener beside its plain one. Raises
    ConfigurationError when the embedded one does not start, and UplinkUnavailableError when a NATS broker beside the
    hub cannot be reached.
    """
    address = settings.public_url or settings.url
    match settings.kind:
        case "embedded":
            async with _embedded(settings, folder, admits, clock, secure) as broker:
                yield broker
        case "nats":
            async with connected(settings.url, settings.username, password, "diwang-hub") as client:
                yield Broker(NatsLink(client), address)
        case "mqtt":
            async with linked(settings.url, settings.username, password) as link:
                yield Broker(link, address)


@asynccontextmanager
async def _embedded(
    settings: BrokerSection, folder: Path, admits: Admission, clock: Clock, secure: Secure | None
) -> AsyncIterator[Broker]:
    port = settings.mqtt_port or free_port(settings.host)
    plain = Listening(settings.host, port, settings.client_port or free_port(LOOPBACK))
    address = settings.public_url or f"mqtt://{plain.mqtt_host}:{plain.mqtt_port}"
    async with AsyncExitStack() as parts:
        link, door = await parts.enter_async_context(_server(plain, folder, clock, admits, by_password))
        if secure is None:
            yield Broker(link, address, door)
            return
        guarded = Listening(secure.host, secure.port or free_port(secure.host), free_port(LOOPBACK))
        tls_link, tls_door = await parts.enter_async_context(
            _server(guarded, folder.with_name(f"{folder.name}-tls"), clock, secure.admits, by_certificate, secure)
        )
        links, doors = JoinedLinks((link, tls_link)), JoinedDoors((door, tls_door))
        yield Broker(links, address, doors, f"mqtts://{bracketed(secure.name)}:{guarded.mqtt_port}")


@asynccontextmanager
async def _server(  # noqa: PLR0917 - as above
    listening: Listening,
    folder: Path,
    clock: Clock,
    admits: Admission,
    identify: Identify,
    secure: Secure | None = None,
) -> AsyncIterator[tuple[BrokerLink, Door]]:
    """Run one server with the hub's three connections to it."""
    issuer = Issuer()
    hub_password, system_password = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    tls = _tls(secure.certificate) if secure is not None else None
    written = _settings(listening, folder, issuer.public_key, hub_password, system_password, tls)
    url = f"nats://{LOOPBACK}:{listening.client_port}"
    async with AsyncExitStack() as parts:
        server = EmbeddedServer(folder, written, clock)
        if secure is not None:
            secure.certificate.on_renewal(server.reload)
        await parts.enter_async_context(server.running())
        system = await parts.enter_async_context(connected(url, "system", system_password, "diwang-system"))
        # A client of its own: decisions about connections must not wait behind a backlog of messages.
        gate = await parts.enter_async_context(connected(url, "hub", hub_password, "diwang-gate"))
        await answer_connects(gate, issuer, ACCOUNT, admits, identify)
        await gate.flush()
        client = await parts.enter_async_context(connected(url, "hub", hub_password, "diwang-hub"))
        yield NatsLink(client), SystemAccount(system, ACCOUNT)


def _tls(certificate: ServerCertificate) -> dict[str, Any]:
    """Return the settings of a listener that lets in nobody without a certificate of our root. TLS 1.2 is its least."""
    return {
        "cert_file": str(certificate.file),
        "key_file": str(certificate.file),
        "ca_file": str(certificate.root_file),
        "verify": True,
        "timeout": SHAKEN_WITHIN_S,
    }


def _settings(  # noqa: PLR0917 - as above
    listening: Listening, folder: Path, issuer: str, hub_password: str, system_password: str, tls: dict[str, Any] | None
) -> str:
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
                "mqtt": {"host": listening.mqtt_host, "port": listening.mqtt_port} | ({"tls": tls} if tls else {}),
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
