"""Cameras that answer to a call: WS-Discovery (OASIS, 1.1) as ONVIF uses it (Core Specification, chapter 7).

A probe goes to 239.255.255.250, UDP port 3702, on each interface, and is repeated, since datagrams get lost. Whatever
is on the network can answer: an answer is bounded, no document with a type declaration is parsed, and a camera is asked
on at the address from which it answered, never at one that it names.
"""

import asyncio
import fcntl
import socket
import struct
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import ExitStack
from typing import Final
from urllib.parse import unquote, urlsplit
from uuid import uuid4
from xml.etree import ElementTree as ET

from msgspec import Struct

from protocol import logs
from protocol.errors import DeviceUnreachableError, UndecodableMessageError

GROUP: Final = "239.255.255.250"
PORT: Final = 3702
MOST_CAMERAS: Final = 512
_LARGEST: Final = 32 * 1024
_REPEATED_AFTER_S: Final = (0.0, 0.3, 1.0)
_GET_ADDRESS: Final = 0x8915
"""SIOCGIFADDR (netdevice(7)): the IPv4 address of an interface."""
_SERVICE: Final = "/onvif/device_service"
_SCOPE: Final = "onvif://www.onvif.org/"
_DISCOVERY: Final = "{http://schemas.xmlsoap.org/ws/2005/04/discovery}"
_ADDRESSING: Final = "{http://schemas.xmlsoap.org/ws/2004/08/addressing}"
_PROBE: Final = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"'
    ' xmlns:w="http://schemas.xmlsoap.org/ws/2004/08/addressing"'
    ' xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"'
    ' xmlns:n="http://www.onvif.org/ver10/network/wsdl">'
    "<e:Header><w:MessageID>urn:uuid:{number}</w:MessageID>"
    "<w:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</w:To>"
    "<w:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</w:Action></e:Header>"
    "<e:Body><d:Probe><d:Types>n:NetworkVideoTransmitter</d:Types></d:Probe></e:Body></e:Envelope>"
)

log = logs.get(__name__)


class Found(Struct, frozen=True):
    """A camera that answered.

    `service` is the address of its ONVIF device service, `endpoint` its own lasting name (a UUID), the others what its
    scopes say: texts of a stranger, for people to read.
    """

    host: str
    service: str
    endpoint: str
    name: str = ""
    hardware: str = ""
    location: str = ""


def interfaces() -> list[str]:
    """Return the IPv4 addresses of this box's interfaces, the loopback's excepted."""
    found: list[str] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        for _, name in socket.if_nameindex():
            try:
                answer = fcntl.ioctl(asker, _GET_ADDRESS, struct.pack("256s", name.encode()[:15]))
            except OSError:
                continue  # an interface without an address
            address = socket.inet_ntoa(answer[20:24])
            if not address.startswith("127."):
                found.append(address)
    return found


async def discover(
    seconds: float = 4.0, *, through: Iterable[str] | None = None, port: int = PORT
) -> AsyncIterator[Found]:
    """Call for cameras through these interfaces (all of the box's), and yield each once, as they answer.

    Raises DeviceUnreachableError when not one interface can send.
    """
    answers: asyncio.Queue[tuple[bytes, str]] = asyncio.Queue(MOST_CAMERAS)
    number = uuid4()
    probe = _PROBE.format(number=number).encode()
    loop = asyncio.get_running_loop()
    with ExitStack() as stack:
        callers = [stack.enter_context(caller) for caller in _callers(interfaces() if through is None else through)]
        if not callers:
            raise DeviceUnreachableError("there is no network to look for cameras in")
        for caller in callers:
            loop.add_reader(caller, _receive, caller, answers)
            stack.callback(loop.remove_reader, caller)
        for after_s in _REPEATED_AFTER_S:
            timer = loop.call_later(after_s, _call, callers, probe, port)
            stack.callback(timer.cancel)
        known: set[str] = set()
        try:
            async with asyncio.timeout(seconds):
                while len(known) < MOST_CAMERAS:
                    for found in _understood(*await answers.get(), f"urn:uuid:{number}"):
                        if found.endpoint not in known:
                            known.add(found.endpoint)
                            yield found
        except TimeoutError:
            return


def read_answer(datagram: bytes, host: str, probe: str) -> list[Found]:
    """Read the matches in an answer from `host` to the probe with this message id; none if it answers another.

    Raises UndecodableMessageError for what is no such document.
    """
    envelope = _parsed(datagram)
    if (envelope.findtext(f".//{_ADDRESSING}RelatesTo") or "").strip() != probe:
        return []
    return [_found(match, host) for match in envelope.iter(f"{_DISCOVERY}ProbeMatch")]


def _callers(addresses: Iterable[str]) -> Iterator[socket.socket]:
    for address in addresses:
        caller = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            caller.setblocking(False)  # noqa: FBT003 - the standard library's
            caller.bind((address, 0))
            caller.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
            caller.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
        except OSError as error:
            caller.close()
            log.warning("discovery_not_possible", interface=address, reason=str(error))
            continue
        yield caller


def _call(callers: list[socket.socket], probe: bytes, port: int) -> None:
    for caller in callers:
        try:
            caller.sendto(probe, (GROUP, port))
        except OSError as error:
            log.warning("discovery_not_possible", interface=caller.getsockname()[0], reason=str(error))


def _receive(caller: socket.socket, answers: asyncio.Queue[tuple[bytes, str]]) -> None:
    try:
        datagram, (host, _) = caller.recvfrom(_LARGEST + 1)
    except OSError:
        return  # a refusal that an earlier datagram met
    if not answers.full():  # it will answer to the repeated call
        answers.put_nowait((datagram, host))


def _understood(datagram: bytes, host: str, probe: str) -> list[Found]:
    try:
        return read_answer(datagram, host, probe)
    except UndecodableMessageError as error:
        log.info("discovery_answer_refused", host=host, reason=error.reason)
        return []


def _parsed(datagram: bytes) -> ET.Element:
    if len(datagram) > _LARGEST:
        raise UndecodableMessageError("an answer longer than 32 KiB", datagram)
    try:
        text = datagram.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UndecodableMessageError("an answer that is not UTF-8", datagram) from error
    # Entities can be declared in a document type only; a string is parsed whatever encoding it claims.
    if "<!DOCTYPE" in text.upper():
        raise UndecodableMessageError("an answer with a document type", datagram)
    try:
        return ET.fromstring(text)  # noqa: S314 - bounded, and without entities
    except (ET.ParseError, ValueError) as error:
        raise UndecodableMessageError(f"an answer that is no XML: {error}", datagram) from error


def _found(match: ET.Element, host: str) -> Found:
    scopes: dict[str, str] = {}
    for scope in (match.findtext(f"{_DISCOVERY}Scopes") or "").split():
        kind, _, value = scope.removeprefix(_SCOPE).partition("/")
        if scope.startswith(_SCOPE) and value:
            scopes.setdefault(kind, _line(unquote(value)))
    endpoint = _line(match.findtext(f".//{_ADDRESSING}Address") or "") or f"host:{host}"
    named = (match.findtext(f"{_DISCOVERY}XAddrs") or "").split()
    return Found(
        host=host,
        service=next((address for address in named if _is_at(address, host)), f"http://{host}{_SERVICE}"),
        endpoint=endpoint,
        name=scopes.get("name", ""),
        hardware=scopes.get("hardware", ""),
        location=scopes.get("location", ""),
    )


def _is_at(address: str, host: str) -> bool:
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and parts.hostname == host and parts.username is None


def _line(text: str) -> str:
    """Return a text of a stranger as one printable line of bounded length."""
    return "".join(letter for letter in text if letter.isprintable())[:128].strip()
