"""The hub's certificate as a server: one file with its key, used by the broker's TLS listener and by the HTTPS door.

It is signed by the hub's own root, and made anew by itself at two thirds of its life, or when the names change.
"""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hub.certificates import files
from hub.certificates.authority import BACKDATED, ROOT_FILE, Authority, general_name
from protocol import logs
from protocol.clock import Clock
from protocol.errors import ConfigurationError

log = logs.get(__name__)

SERVER_FILE: Final = "server.pem"
RENEWED_AT: Final = 2 / 3
LOOKED_AT_EVERY_S: Final = 3600.0
TRIED_AGAIN_AFTER_S: Final = 60.0


class ServerCertificate:
    """The current server certificate. `on_renewal` listeners are called after each renewal, on the event loop."""

    def __init__(self, authority: Authority, folder: Path, names: Sequence[str], life: timedelta, clock: Clock) -> None:
        self.file = folder / SERVER_FILE
        """PEM: the key, the certificate, the root."""

        self.root_file = folder / ROOT_FILE
        self._authority = authority
        self._names = tuple(names)
        self._life = life
        self._clock = clock
        self._listeners: list[Callable[[], None]] = []
        self._told = self._content()

    def on_renewal(self, listener: Callable[[], None]) -> None:
        """Have `listener` called when the file holds another certificate."""
        self._listeners.append(listener)

    def renew_if_due(self) -> bool:
        """Make a new certificate unless the one in the file serves; tell whether one was made.

        Raises ConfigurationError when the file cannot be written.
        """
        if self._due_in() > timedelta(0):
            return False
        key = ec.generate_private_key(ec.SECP256R1())
        try:
            made = self._authority.issue_for_server(key.public_key(), self._names, self._life, self._clock.now())
            chain = made.public_bytes(serialization.Encoding.PEM) + self._authority.pem.encode()
            files.write(self.file, files.key_pem(key) + chain)
        except OSError as error:
            raise ConfigurationError(
                f"the hub's certificate {self.file} cannot be written: {error.strerror}"
            ) from error
        except ValueError as error:
            raise ConfigurationError(f"tls.names {', '.join(self._names)}: {error}") from error
        log.info("server_certificate_made", names=self._names, until=str(made.not_valid_after_utc))
        return True

    async def run(self) -> None:
        """Renew in time, until cancelled."""
        while True:
            due_in_s = self._due_in().total_seconds()
            # Looked at now and then: the wall clock may be set, and another process of this hub may renew.
            await asyncio.sleep(min(max(due_in_s, 0.0), LOOKED_AT_EVERY_S))
            try:
                self.renew_if_due()
            except ConfigurationError as error:
                log.warning("server_certificate_not_renewed", reason=str(error), retry_in_s=TRIED_AGAIN_AFTER_S)
                await asyncio.sleep(TRIED_AGAIN_AFTER_S)
                continue
            self.tell_if_changed()

    def tell_if_changed(self) -> None:
        """Call the listeners when the file holds another certificate than when they were called last."""
        found = self._content()
        if found != self._told:
            self._told = found
            for listener in self._listeners:
                listener()

    def context(self) -> ssl.SSLContext:
        """Return the settings of the HTTPS door: TLS 1.2 or later; a client's certificate is asked for, not required.

        One that is shown must be whole: of this root, within its time, and made for clients. New handshakes use a
        renewed server certificate by themselves.
        """
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.root_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_cert_chain(self.file)
        self.on_renewal(lambda: context.load_cert_chain(self.file))
        return context

    def _content(self) -> bytes:
        try:
            return self.file.read_bytes()
        except OSError:
            return b""

    def _due_in(self) -> timedelta:
        """Return how long the certificate in the file serves; nothing when it does not."""
        try:
            certificate = x509.load_pem_x509_certificate(self._content())
            certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(self._authority.pem.encode()))
            named = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except (ValueError, TypeError, x509.ExtensionNotFound, InvalidSignature):
            return timedelta(0)
        if not {general_name(each) for each in self._names} <= set(named):
            return timedelta(0)
        begins = certificate.not_valid_before_utc + BACKDATED
        return begins + (certificate.not_valid_after_utc - begins) * RENEWED_AT - self._clock.now()
