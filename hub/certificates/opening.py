"""Opening what certificates need: the root, the hub's own certificate, and the socket of the door."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from hub.certificates.authority import Authority
from hub.certificates.serving import ServerCertificate
from hub.certificates.settings import bracketed
from hub.config import HubConfig
from protocol.clock import Clock
from protocol.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Trust:
    """The opened root, the hub's certificate, and the address of the door as boxes are told it."""

    authority: Authority
    server: ServerCertificate
    door: str


@contextmanager
def door_socket(config: HubConfig) -> Iterator[socket.socket | None]:
    """Listen where boxes reach the hub by HTTPS; nothing where TLS is off, or this process serves no API.

    Raises ConfigurationError when the port cannot be taken.
    """
    if not config.tls.enabled or "api" not in config.roles:
        yield None
        return
    host, port = config.tls.host, config.tls.door_port(config.http.port)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        raise ConfigurationError(f"tls.port: cannot listen on {host}:{port}: {error.strerror}") from error
    with listener:
        yield listener


def open_trust(config: HubConfig, clock: Clock, door_port: int) -> Trust | None:
    """Open the root in the data folder, made at the first start, and the hub's certificate; None where TLS is off.

    Raises ConfigurationError when a file cannot be read or written, or a name cannot stand in a certificate.
    """
    tls = config.tls
    if not tls.enabled:
        return None
    folder = config.data.absolute() / "authority"
    authority = Authority.opened(folder, clock)
    server = ServerCertificate(authority, folder, tls.all_names, tls.life, clock)
    server.renew_if_due()
    server.tell_if_changed()
    return Trust(authority, server, tls.public_url or f"https://{bracketed(tls.all_names[0])}:{door_port}")
