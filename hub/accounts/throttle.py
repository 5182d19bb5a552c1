"""Wrong keys are refused ever more firmly: too many from one address within a minute, and it has to wait.

A key is 256 random bits and nobody guesses one. What is bounded is the noise and the work that trying makes.
"""

from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
from typing import Final

from protocol import logs
from protocol.clock import Clock
from protocol.errors import RefusedRequestError

log = logs.get(__name__)

WINDOW_S: Final = 60
SAME_KEY: Final = 10
"""A forgotten script whose key was revoked shuts out itself, not the office that shares its address."""

DIFFERENT_KEYS: Final = 20
_ADDRESSES: Final = 4_096
_SITE_BITS: Final = 64
"""Whoever has one IPv6 address has the 2^64 beside it."""


@dataclass(slots=True)
class _Tries:
    """The wrong keys (their digests) of one address, and when they are forgotten."""

    until: float
    wrong: Counter[bytes] = field(default_factory=Counter)


class Throttle:
    """Counts wrong keys per address, in memory, for a minute from the first one."""

    def __init__(
        self, clock: Clock, *, same: int = SAME_KEY, different: int = DIFFERENT_KEYS, what: str = "keys"
    ) -> None:
        """Let pass so many tries of one wrong secret, and so many different ones; `what` they are called."""
        self._clock = clock
        self._same = same
        self._different = different
        self._what = what
        self._tries: OrderedDict[str, _Tries] = OrderedDict()

    def require(self, address: str, offered: bytes) -> None:
        """Raise RefusedRequestError (429) when this address has to wait before it tries this key."""
        tries = self._current(_site(address))
        if tries is None:
            return
        if tries.wrong.get(offered, 0) >= self._same or len(tries.wrong) >= self._different:
            detail = f"too many wrong {self._what} from this address; try again in {WINDOW_S} seconds"
            raise RefusedRequestError("access.too_many_tries", detail, status=429)

    def wrong(self, address: str, offered: bytes) -> None:
        """Count a key that was wrong."""
        site = _site(address)
        tries = self._current(site) or self._tries.setdefault(site, _Tries(self._clock.monotonic() + WINDOW_S))
        tries.wrong[offered] += 1
        if tries.wrong[offered] == self._same or (tries.wrong[offered] == 1 and len(tries.wrong) == self._different):
            log.warning("too_many_wrong_keys", what=self._what, address=site, keys=len(tries.wrong))
        while len(self._tries) > _ADDRESSES:
            self._tries.popitem(last=False)

    def _current(self, site: str) -> _Tries | None:
        tries = self._tries.get(site)
        if tries is not None and self._clock.monotonic() >= tries.until:
            del self._tries[site]
            return None
        return tries


def _site(address: str) -> str:
    """Return what stands for everybody at an address."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return str(IPv6Address(int(parsed) >> _SITE_BITS << _SITE_BITS))
    return str(parsed)
