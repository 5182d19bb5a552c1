"""Which gateways may connect and be heard: the tables of gateways and of their certificates, kept at hand."""

import hashlib
import hmac
from datetime import datetime, timedelta
from typing import Final

from hub.certificates import repository as certificates
from hub.gateways import repository
from hub.storage.database import Database
from protocol import logs
from protocol.clock import Clock
from protocol.errors import StoreUnavailableError

log = logs.get(__name__)

_OVERLAP: Final = timedelta(hours=1)
"""How far back each look goes: a transaction may commit after the time that it wrote down, and the clocks of two
processes may differ."""

_CUT_TWICE: Final = 2
"""A connection that was being let in while its right ended is there only at the second look."""


def digest_of(password: str) -> str:
    """Return what is stored of a password: SHA-256 in hexadecimal. 256 random bits need no slow hash."""
    return hashlib.sha256(password.encode()).hexdigest()


class Registry:
    """The registered gateways, the digests of their passwords and their certificates, as of the last refresh."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._digests: dict[str, str] = {}
        self._serials: dict[str, str] = {}
        self._seen_until: datetime | None = None
        self._to_cut: dict[str, int] = {}

    def knows(self, gateway: str) -> bool:
        """Tell whether a gateway is registered and not revoked."""
        return gateway in self._digests

    async def refresh(self) -> frozenset[str]:
        """Read what changed; return the gateways whose live connections have lost their right.

        Each is returned until it `was_cut` twice. Raises StoreUnavailableError; what was known then stays.
        """
        now = self._clock.now()
        async with self._database.read() as session:
            rows = await repository.credentials(session, self._seen_until)
            issued = await certificates.changes(session, self._seen_until)
        self._seen_until = now - _OVERLAP
        lost = self._learn_gateways(rows) | self._learn_certificates(issued)
        for name in sorted(lost):
            log.info("gateway_expelled", gateway=name)
        self._to_cut |= dict.fromkeys(lost, _CUT_TWICE)
        return frozenset(self._to_cut)

    def was_cut(self, gateway: str) -> None:
        """Note that the live connections of a gateway were cut."""
        self._to_cut[gateway] -= 1
        if self._to_cut[gateway] == 0:
            del self._to_cut[gateway]

    async def admits(self, gateway: str, password: str) -> bool:
        """Tell whether this is the gateway's password. What is not known yet is looked up."""
        offered = digest_of(password)
        if hmac.compare_digest(self._digests.get(gateway, ""), offered):
            return True
        try:
            async with self._database.read() as session:
                found = (await repository.credentials(session, None, gateway)).get(gateway)
        except StoreUnavailableError as error:
            log.warning("connect_cannot_be_decided", gateway=gateway, reason=str(error))
            return False
        if found is None or not hmac.compare_digest(found, offered):
            return False
        self._digests[gateway] = found
        return True

    async def admits_certificate(self, gateway: str, serial: str) -> bool:
        """Tell whether the certificate of this serial number is one of the gateway's and counts.

        It is looked up each time: a box connects rarely, and one that was superseded or revoked must not come in again
        before the next refresh.
        """
        try:
            async with self._database.read() as session:
                found = await certificates.find(session, serial)
                digest = (await repository.credentials(session, None, gateway)).get(gateway)
        except StoreUnavailableError as error:
            log.warning("connect_cannot_be_decided", gateway=gateway, reason=str(error))
            return False
        if found is None or found.gateway != gateway or found.ended_at is not None or digest is None:
            return False
        self._serials[serial] = gateway
        self._digests[gateway] = digest
        return True

    def _learn_gateways(self, rows: dict[str, str | None]) -> set[str]:
        known = self._digests
        lost = {name for name, digest in rows.items() if name in known and known[name] != digest}
        known.update({name: digest for name, digest in rows.items() if digest is not None})
        for name, digest in rows.items():
            if digest is None:
                known.pop(name, None)
        return lost

    def _learn_certificates(self, changed: list[certificates.Standing]) -> set[str]:
        lost = set()
        for serial, gateway, stands in changed:
            if stands:
                self._serials[serial] = gateway
            elif self._serials.pop(serial, None) is not None:
                lost.add(gateway)
        return lost
