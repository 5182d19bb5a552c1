"""Serial ports, and the GPS receivers that speak on them."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Final, NamedTuple

from serial.tools import list_ports

from drivers.gps.framing import Framer
from drivers.lines.serial_port import opened
from edge.installer.found import Found
from firmware_configs.gps import GPS
from protocol.errors import DeviceUnreachableError

_LISTENED_S: Final = 2.0
"""A receiver says something every second, and the first sentence may be cut."""
_POSITIONING: Final = frozenset({b"GGA", b"RMC", b"GNS", b"GLL"})
_BY_ID: Final = Path("/dev/serial/by-id")


class Port(NamedTuple):
    """A port by a name that lasts, and what the kernel calls the thing behind it."""

    path: str
    title: str


def present() -> list[Port]:
    """Return the ports of this box."""
    lasting = {link.resolve(): str(link) for link in sorted(_BY_ID.glob("*"))}
    return [
        Port(lasting.get(Path(each.device).resolve(), each.device), each.product or each.description or each.device)
        for each in list_ports.comports()
    ]


async def receivers(seconds: float, ports: Iterable[Port] | None = None) -> AsyncIterator[Found]:
    """Listen on every port at the speeds of known receivers, all ports at the same time."""
    known = list(ports) if ports is not None else await asyncio.to_thread(present)
    asked = [asyncio.create_task(_heard(port, seconds)) for port in known]
    try:
        for answer in asyncio.as_completed(asked):
            yield await answer
    finally:
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)


async def _heard(port: Port, seconds: float) -> Found:
    deadline = asyncio.get_running_loop().time() + seconds
    reason = ""
    try:
        for baud in _bauds():
            left = deadline - asyncio.get_running_loop().time()
            if left > 0 and await _speaks(port.path, baud, min(_LISTENED_S, left)):
                return _gps(port, baud)
    except DeviceUnreachableError as error:
        reason = str(error)
    # A scanner says nothing until something is scanned.
    return Found(
        kind="scanner",
        title=f"{port.title}: {reason}" if reason else port.title,
        place=port.path,
        plausible=False,
        why="port_closed" if reason else "port_silent",
        driver="scanner",
        options={"source": {"kind": "serial", "port": port.path}},
    )


def _gps(port: Port, baud: int) -> Found:
    return Found(
        kind="gps",
        title=port.title,
        place=port.path,
        plausible=True,
        why="nmea",
        driver="gps.nmea",
        options={"source": {"kind": "serial", "port": port.path, "baud": baud}},
    )


async def _speaks(path: str, baud: int, seconds: float) -> bool:
    """Tell whether NMEA comes at this speed."""
    framer = Framer()
    try:
        async with asyncio.timeout(seconds), opened(path, baud) as line:
            while True:
                sentences = framer.feed(await line.read())
                if any(sentence[3:6] in _POSITIONING for sentence in sentences):
                    return True
    except TimeoutError:
        return False


def _bauds() -> list[int]:
    """Return the speeds of all known receivers, the commonest first."""
    speeds = Counter(baud for name in GPS.names() for baud in GPS.load(name).bauds)
    delivered = Counter(GPS.load(name).bauds[0] for name in GPS.names())
    return sorted(speeds, key=lambda baud: (-delivered[baud], -speeds[baud]))
