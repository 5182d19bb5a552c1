"""A recorded stream, played at its own pace."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, Final

from drivers.lines import Line
from protocol.clock import Clock
from protocol.errors import DeviceUnreachableError

_TIMED: Final = re.compile(rb"\$[A-Z]{2}(?:RMC|GGA|GNS|ZDA|GST),(\d\d)(\d\d)(\d\d(?:\.\d+)?),")
_LONGEST_LINE: Final = 16 * 1024
_LONGEST_BURST: Final = 64 * 1024
_DAY_S: Final = timedelta(days=1).total_seconds()


class _Player:
    """Hands out the bytes of one instant after the other, each when its time has come."""

    def __init__(self, file: BinaryIO, speed: float, clock: Clock) -> None:
        self._bursts = _bursts(file)
        self._speed = speed
        self._clock = clock
        self._due = clock.monotonic()
        self._next: bytes | None = None

    async def read(self) -> bytes:
        if self._next is None:
            pause, self._next = next(self._bursts, (0.0, b""))
            self._due += pause / self._speed
        await asyncio.sleep(max(0.0, self._due - self._clock.monotonic()))
        burst, self._next = self._next, None
        return burst


def _bursts(file: BinaryIO) -> Iterator[tuple[float, bytes]]:
    """Yield the bytes of each instant with the seconds that passed since the instant before."""
    burst, pause, now = b"", 0.0, None
    while line := file.readline(_LONGEST_LINE):
        second = _second_of_day(line)
        another = second is not None and second != now
        if burst and (another or len(burst) > _LONGEST_BURST):
            yield pause, burst
            burst, pause = b"", 0.0
        if another:
            pause, now = pause + _pause(now, second), second
        burst += line
    if burst:
        yield pause, burst


def _pause(before: float | None, after: float | None) -> float:
    # Half a day forward is a step back: recordings are also joined from pieces.
    pause = 0.0 if before is None or after is None else (after - before) % _DAY_S
    return pause if pause < _DAY_S / 2 else 0.0


def _second_of_day(line: bytes) -> float | None:
    if not (found := _TIMED.search(line)):
        return None
    return int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3])


@contextmanager
def playing(path: Path, speed: float, clock: Clock) -> Iterator[Line]:
    """Open the recording; raise DeviceUnreachableError when it cannot be read."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise DeviceUnreachableError(str(error)) from error
    with file:
        yield _Player(file, speed, clock)
