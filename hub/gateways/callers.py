"""Which gateway calls over HTTP: by its certificate or its password, checked against the tables each time."""

import hmac
from typing import Final, NamedTuple

from cryptography import x509

from hub.accounts.issuing import digest
from hub.accounts.throttle import Throttle
from hub.certificates import repository as certificates
from hub.certificates.authority import common_name, serial_of
from hub.gateways import repository
from hub.gateways.registry import digest_of
from hub.storage.database import Database
from protocol.clock import Clock
from protocol.topics import is_level

_WRONG_CODES: Final = 5
_LONGEST_PASSWORD: Final = 200


class Peer(NamedTuple):
    """A gateway and the serial number of the certificate that it showed."""

    gateway: str
    serial: str


class Callers:
    """The gateways that call one hub process. Nothing is remembered, so a revoked one is refused at once."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._throttle = Throttle(clock, what="passwords")
        self.codes = Throttle(clock, same=_WRONG_CODES, different=_WRONG_CODES, what="codes")
        """Slows down who tries one-time codes of enrolments: the sixth wrong one within a minute has to wait."""

    async def with_password(self, gateway: str, password: str, address: str) -> bool:
        """Tell whether this is the password of a registered gateway; `address` is where the call came from.

        Raises RefusedRequestError (429) when too many wrong passwords came from there, StoreUnavailableError when it
        cannot be looked up.
        """
        if not is_level(gateway) or len(password) > _LONGEST_PASSWORD:
            return False
        async with self._database.read() as session:
            stored = (await repository.credentials(session, None, gateway)).get(gateway)
        # Compared also when there is no such gateway, so that time does not tell which ones there are.
        right = hmac.compare_digest(stored or "", digest_of(password))
        if not right:
            # Only who is wrong waits: a box must not be shut out by another behind the same address.
            offered = digest(f"{gateway}\n{password}")
            self._throttle.require(address, offered)
            self._throttle.wrong(address, offered)
        return right

    async def with_certificate(self, der: bytes) -> Peer | None:
        """Return whose certificate this is, which the handshake found whole; None when it does not count any more.

        Raises StoreUnavailableError when it cannot be looked up.
        """
        certificate = x509.load_der_x509_certificate(der)
        peer = Peer(common_name(certificate), serial_of(certificate))
        async with self._database.read() as session:
            issued = await certificates.find(session, peer.serial)
            registered = (await repository.credentials(session, None, peer.gateway)).get(peer.gateway)
        stands = issued is not None and issued.gateway == peer.gateway and issued.ended_at is None
        return peer if stands and registered is not None else None
