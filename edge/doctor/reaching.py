"""The way to the hub, one step after the other: the name, the port, the handshake, the login, the door."""

import asyncio
import socket
import ssl
from typing import Final

import httpx

from edge.config import Config, Secret
from edge.doctor.findings import Finding, fine, wrong
from edge.hub_http import hub_client
from edge.link import connect, tls_context
from protocol.errors import UplinkUnavailableError

_PATIENCE_S: Final = 5.0
# Verification errors of OpenSSL (X509_V_ERR_…): what they mean to a person.
_TLS_CODES: Final = {9: "tls_not_yet_valid", 10: "tls_over", 62: "tls_other_name", 64: "tls_other_name"}


async def network(config: Config) -> Finding:
    """Resolve the broker's name, open a connection to it, and where it speaks TLS, check who it is."""
    host, port, secure = config.broker
    facts = {"host": host, "port": port}
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError):
        return wrong("name_unknown", **facts)
    context = tls_context(config.hub, tls=secure)
    try:
        async with asyncio.timeout(_PATIENCE_S):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
    except ssl.SSLCertVerificationError as error:
        return wrong(_TLS_CODES.get(error.verify_code, "tls_stranger"), reason=error.verify_message, **facts)
    except ssl.SSLError as error:
        return wrong("tls_fails", reason=error.reason or error, **facts)
    except ConnectionRefusedError:
        return wrong("port_closed", **facts)
    except (OSError, TimeoutError):
        return wrong("no_answer", **facts)
    writer.transport.abort()
    return fine("network_fine", **facts)


async def broker(config: Config, secret: Secret) -> Finding:
    """Log in as the box and log out again. Only while no agent runs: two with one name push each other out."""
    context = tls_context(config.hub, tls=config.broker[2])
    try:
        async with connect(config, secret, context, b""):
            return fine("login_fine", gateway=config.gateway.id)
    except UplinkUnavailableError as error:
        return wrong("login_refused", gateway=config.gateway.id, reason=error)


async def door(config: Config, secret: Secret) -> Finding:
    """Knock at the hub's door for boxes."""
    try:
        async with hub_client(config, secret) as client:
            answer = await client.get("/healthz")
    except httpx.HTTPError as error:
        return wrong("door_closed", door=config.hub.api, reason=error or type(error).__name__)
    if answer.is_error:
        return wrong("door_answers_oddly", door=config.hub.api, status=answer.status_code)
    return fine("door_fine", door=config.hub.api)
