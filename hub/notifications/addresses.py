"""Where webhooks may go: never where only the hub itself could reach, unless the site says so.

A web address in a form must not become a way to make the hub call machines behind its own walls. Every address that a
host name stands for is checked when it is called, and the checked address is the one that is called.
"""

import asyncio
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, Self

import httpx

from protocol.errors import ConfigurationError, RefusedRequestError, UplinkUnavailableError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

REFUSED: Final = "channels.url_refused"
LOOKUP_S: Final = 5.0
_PORTS: Final = 65_536

_UNICAST: Final = IPv6Network("2000::/3")
_TRANSLATED: Final = IPv6Network("64:ff9b::/96")
"""Global unicast (RFC 4291), and the prefix that networks without IPv4 translate it to (RFC 6052)."""


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """Hosts and networks inside the walls that webhooks may reach, and by plain HTTP too."""

    hosts: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()

    @classmethod
    def of(cls, allowed: tuple[str, ...]) -> Self:
        """Read host names, addresses and networks (`10.1.0.0/16`). Raises ConfigurationError for a bad network."""
        networks: list[Network] = []
        hosts = set()
        for each in allowed:
            try:
                networks.append(ip_network(each))
            except ValueError as error:
                if "/" in each:
                    raise ConfigurationError(f"notifications.allow: {each!r} is no network: {error}") from error
                hosts.add(each.lower().rstrip("."))
        return cls(frozenset(hosts), tuple(networks))

    def require_url(self, url: str) -> httpx.URL:
        """Return the address of a webhook, without looking up what its host name stands for.

        Raises RefusedRequestError (422) when it can be told already that it may not be called.
        """
        try:
            parsed = httpx.URL(url)
            host = parsed.host
        except (httpx.InvalidURL, UnicodeError) as error:
            raise _refused(f"not an address: {error}") from error
        if parsed.scheme not in {"https", "http"} or not host:
            raise _refused("an https address is wanted")
        if parsed.port is not None and not 0 < parsed.port < _PORTS:
            raise _refused(f"a port is between 1 and {_PORTS - 1}")
        if parsed.userinfo or parsed.fragment:
            raise _refused("an address without user name, password and fragment is wanted")
        literal = _literal(host)
        if literal is not None:
            self._require(parsed, literal)
        elif parsed.scheme == "http" and not self._named(parsed):
            raise _refused("plain http is only for hosts that the configuration allows (notifications.allow)")
        return parsed

    async def resolve(self, url: httpx.URL) -> Address:
        """Return an address to call for a URL. Raises RefusedRequestError when one of its addresses may not be called.

        Raises UplinkUnavailableError when the name cannot be looked up.
        """
        literal = _literal(url.host)
        addresses = [literal] if literal is not None else await _looked_up(url.host)
        if not self._named(url):
            for address in addresses:
                self._require(url, address)
        return addresses[0]

    def _named(self, url: httpx.URL) -> bool:
        return url.host.lower().rstrip(".") in self.hosts

    def _require(self, url: httpx.URL, address: Address) -> None:
        plain = _reached(address)
        if self._named(url) or any(plain in network for network in self.networks):
            return
        if not plain.is_global or plain.is_multicast or (isinstance(plain, IPv6Address) and plain not in _UNICAST):
            raise _refused(f"{plain} is not a public address, and the configuration does not allow it")
        if url.scheme == "http":
            raise _refused("plain http is only for hosts that the configuration allows (notifications.allow)")


def _reached(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one leads to by mapping, translation or tunnel; else the address itself."""
    if isinstance(address, IPv4Address):
        return address
    translated = IPv4Address(int(address) & 0xFFFF_FFFF) if address in _TRANSLATED else None
    return address.ipv4_mapped or address.sixtofour or translated or address


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        return None


async def _looked_up(host: str) -> list[Address]:
    try:
        async with asyncio.timeout(LOOKUP_S):
            found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError, UnicodeError) as error:
        raise UplinkUnavailableError(f"{host} cannot be looked up: {error}") from error
    return [ip_address(str(each[4][0]).partition("%")[0]) for each in found]


def _refused(detail: str) -> RefusedRequestError:
    return RefusedRequestError(REFUSED, detail, status=422)
