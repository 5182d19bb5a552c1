"""Looking around the box in all directions at the same time."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from edge.installer.found import Found, Said, Trouble
from edge.installer.sources.serial_ports import Port
from protocol.errors import DiwangError

SECONDS: Final = 8.0
_AFTER_S: Final = 4.0
"""Ports and radios take a while to close."""
_ONVIF: Final = 3702

Source = Callable[[], AsyncIterator[Found]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """Where to look: interfaces and port of cameras, serial ports (None: all), and the kernel's folders."""

    through: tuple[str, ...] | None = None
    onvif_port: int = _ONVIF
    ports: tuple[Port, ...] | None = None
    dev: Path = Path("/dev")
    sys: Path = Path("/sys")


async def scan(around: Around, known: Iterable[str] = (), seconds: float = SECONDS) -> AsyncIterator[Said]:
    """Yield what is found as it is found, but for what is at a `known` place; ends after about so many seconds.

    A source that fails is told, and keeps no other from looking.
    """
    said: asyncio.Queue[Said | None] = asyncio.Queue()
    passed_over = {place.lower() for place in known}
    async with asyncio.TaskGroup() as group:
        looking = [
            group.create_task(_look(name, source, seconds + _AFTER_S, said), name=f"look for {name}")
            for name, source in _sources(around, seconds).items()
        ]
        try:
            left = len(looking)
            while left:
                each = await said.get()
                if each is None:
                    left -= 1
                elif isinstance(each, Trouble) or each.place.lower() not in passed_over:
                    yield each
        finally:
            for task in looking:
                task.cancel()


def rank(found: Found) -> tuple[bool, str, str]:
    """Return what to sort by so that the plausible comes first."""
    return not found.plausible, found.kind, found.title


def places(options: Mapping[str, Any]) -> set[str]:
    """Return every place that a device's options name: addresses, hosts, paths."""
    found: set[str] = set()
    for value in options.values():
        if isinstance(value, Mapping):
            found |= places(value)
        elif isinstance(value, str):
            found.add(urlsplit(value).hostname or urlsplit(value).path if ":/" in value else value)
    return found


def _sources(around: Around, seconds: float) -> dict[str, Source]:
    """Return the sources; what a source needs is loaded when it looks, since a box may not have it."""

    async def cameras() -> AsyncIterator[Found]:
        from edge.installer.sources import network  # noqa: PLC0415 - as said above

        async for each in network.cameras(seconds / 2, through=around.through, port=around.onvif_port):
            yield each

    async def bluetooth() -> AsyncIterator[Found]:
        from edge.installer.sources import bluetooth  # noqa: PLC0415 - as said above

        async for each in bluetooth.advertisers(seconds):
            yield each

    async def serial() -> AsyncIterator[Found]:
        from edge.installer.sources import serial_ports  # noqa: PLC0415 - as said above

        async for each in serial_ports.receivers(seconds, around.ports):
            yield each

    async def usb() -> AsyncIterator[Found]:
        from edge.installer.sources import plugged  # noqa: PLC0415 - as said above

        for source in (plugged.printers, plugged.cameras, plugged.scanners):
            for each in source(around.dev, around.sys):
                yield each

    return {"cameras": cameras, "bluetooth": bluetooth, "serial": serial, "usb": usb}


async def _look(name: str, source: Source, seconds: float, said: "asyncio.Queue[Said | None]") -> None:
    try:
        async with asyncio.timeout(seconds), aclosing(source()) as looking:  # type: ignore[type-var] # a generator
            async for each in looking:
                said.put_nowait(each)
    except TimeoutError:
        said.put_nowait(Trouble(source=name, reason=f"no answer within {seconds:.0f} s"))
    except ImportError as error:
        said.put_nowait(Trouble(source=name, reason=f"the package {error.name} is not installed"))
    except (DiwangError, OSError) as error:
        said.put_nowait(Trouble(source=name, reason=str(error)))
    finally:
        said.put_nowait(None)
