"""A GPS unit that walks a round and says so in NMEA 0183, to whoever connects: for the demonstration and for tests.

`walking` is the geometry, `epoch` the sentences of one second (GGA RMC VTG GSA GST GSV), `serve` the unit itself. All
is pure and repeatable from a seed but for `serve`, which has a socket and a clock.
"""

import asyncio
import functools
import math
import operator
import random
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, pairwise, repeat
from typing import Final

from protocol.clock import Clock

_METRES_PER_DEGREE: Final = 111_195.0
_KNOT_MPS: Final = 1852 / 3600
_GEOID_M: Final = 12.0
_SLOW_READER_BYTES: Final = 64 * 1024
# Constellation, number, elevation, azimuth: one sky, as it could be over a town on the coast.
_SKY: Final = (
    ("GP", 5, 67, 31), ("GP", 12, 12, 292), ("GP", 13, 41, 209), ("GP", 15, 28, 241),
    ("GP", 18, 55, 118), ("GP", 24, 38, 305), ("GP", 29, 19, 80),
    ("GB", 7, 48, 170), ("GB", 10, 61, 330), ("GB", 21, 33, 58), ("GB", 34, 15, 221), ("GB", 36, 72, 140),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Waypoint:
    """A corner of the round in WGS-84 degrees, and how long the unit rests there."""

    latitude: float
    longitude: float
    pause_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Walk:
    """A closed round, walked again and again at one pace.

    On the first round, after the corner with the index `excursion_after`, the unit leaves for `excursion` and comes
    back to that corner. Raises ValueError for a round on which time would not pass.
    """

    round: Sequence[Waypoint]
    speed_mps: float = 1.3
    excursion: Sequence[Waypoint] = ()
    excursion_after: int = 0
    seed: int = 1

    def __post_init__(self) -> None:
        corners = {(corner.latitude, corner.longitude) for corner in self.round}
        if self.speed_mps <= 0 or not corners or (len(corners) == 1 and not self.round[0].pause_s):
            raise ValueError("a round needs a speed and two corners, or one corner with a pause")
        if not 0 <= self.excursion_after < len(self.round):
            raise ValueError(f"there is no corner {self.excursion_after} to leave the round from")


@dataclass(frozen=True, slots=True)
class Step:
    """Where the unit truly is, how fast it goes, and its course in degrees from north."""

    latitude: float
    longitude: float
    speed_mps: float
    course_deg: float


def walking(walk: Walk, step_s: float = 1.0) -> Iterator[Step]:
    """Yield where the unit is every `step_s` seconds, for ever."""
    corners = list(walk.round)
    first = corners[: walk.excursion_after + 1]
    first += [*walk.excursion, corners[walk.excursion_after]] if walk.excursion else []
    first += corners[walk.excursion_after + 1 :]
    rounds = chain(first, chain.from_iterable(repeat(corners)))
    carried_m = 0.0
    for here, there in pairwise(rounds):
        course, length = _course_and_length(here, there)
        for _ in range(round(here.pause_s / step_s)):
            yield Step(here.latitude, here.longitude, 0.0, course)
        gone_m = carried_m
        while gone_m < length:
            share = gone_m / length
            yield Step(
                here.latitude + share * (there.latitude - here.latitude),
                here.longitude + share * (there.longitude - here.longitude),
                walk.speed_mps,
                course,
            )
            gone_m += walk.speed_mps * step_s
        carried_m = gone_m - length


class Antenna:
    """What a receiver makes of the truth: errors that drift over a minute, signals that flicker.

    The error of each axis is a first-order autoregression with a standard deviation of `sigma_m` and a time constant of
    60 s, plus 0.3 m of white noise.
    """

    def __init__(self, seed: int, sigma_m: float = 2.5) -> None:
        self._random = random.Random(seed)  # noqa: S311 - noise, not a secret
        self._sigma_m = sigma_m
        self._north_m = self._east_m = 0.0

    def errors_m(self, step_s: float = 1.0) -> tuple[float, float]:
        """Let time pass; return the errors to the north and to the east."""
        keep = math.exp(-step_s / 60)
        fresh = self._sigma_m * math.sqrt(1 - keep * keep)
        self._north_m = keep * self._north_m + self._random.gauss(0, fresh)
        self._east_m = keep * self._east_m + self._random.gauss(0, fresh)
        return self._north_m + self._random.gauss(0, 0.3), self._east_m + self._random.gauss(0, 0.3)

    def strength_db(self, elevation: int) -> int:
        """Return the C/N0 of a satellite at this elevation: weaker near the horizon."""
        return round(26 + 20 * math.sin(math.radians(elevation)) + self._random.gauss(0, 1.2))


def epoch(at: datetime, step: Step, antenna: Antenna) -> bytes:
    """Return the sentences of one instant (UTC), as a receiver would send them in one burst."""
    north_m, east_m = antenna.errors_m()
    latitude = step.latitude + north_m / _METRES_PER_DEGREE
    longitude = step.longitude + east_m / (_METRES_PER_DEGREE * math.cos(math.radians(step.latitude)))
    place = f"{_angle(latitude, 2, 'NS')},{_angle(longitude, 3, 'EW')}"
    time = f"{at:%H%M%S}.{at.microsecond // 10_000:02d}"
    knots = step.speed_mps / _KNOT_MPS
    course = f"{step.course_deg:.2f}" if step.speed_mps else ""
    bodies = [
        f"GNRMC,{time},A,{place},{knots:.3f},{course},{at:%d%m%y},,,A,V",
        f"GNVTG,{course},T,,M,{knots:.3f},N,{step.speed_mps * 3.6:.3f},K,A",
        f"GNGGA,{time},{place},1,{len(_SKY):02d},0.86,18.4,M,{_GEOID_M:.1f},M,,",
        *_satellites_used(),
        f"GNGST,{time},4.1,2.3,2.0,41.0,2.2,2.1,4.6",
        *_satellites_in_view(antenna),
    ]
    return b"".join(_sentence(body) for body in bodies)


@asynccontextmanager
async def serve(
    walk: Walk, clock: Clock, *, host: str = "127.0.0.1", port: int = 0, pace: float = 1.0
) -> AsyncIterator[int]:
    """Walk from now on, `pace` seconds of the unit in each second of the clock; yield the TCP port that tells of it.

    Everyone who is connected hears the same; who does not read is cut off. A free port is taken when none is given.
    """
    listeners: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}

    async def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not server.is_serving():  # accepted in the moment of closing
            writer.close()
            return
        listeners[writer] = asyncio.current_task()
        try:
            while await reader.read(1024):
                pass
        except OSError:
            return
        finally:
            del listeners[writer]
            writer.close()

    server = await asyncio.start_server(welcome, host, port)
    async with server, asyncio.TaskGroup() as tasks:
        walker = tasks.create_task(_tell(walk, clock, pace, listeners), name="patrol")
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            walker.cancel()
            server.close()
            for writer in listeners:
                writer.transport.abort()
            if talks := [talk for talk in listeners.values() if talk]:
                await asyncio.wait(talks)


async def _tell(walk: Walk, clock: Clock, pace: float, listeners: Iterable[asyncio.StreamWriter]) -> None:
    antenna = Antenna(walk.seed)
    start, began = clock.now().replace(microsecond=0), clock.monotonic()
    for second, step in enumerate(walking(walk)):
        await asyncio.sleep(max(0.0, began + second / pace - clock.monotonic()))
        burst = epoch(start + timedelta(seconds=second), step, antenna)
        for writer in tuple(listeners):
            if writer.transport.get_write_buffer_size() > _SLOW_READER_BYTES:
                writer.transport.abort()
            else:
                writer.write(burst)


def _course_and_length(here: Waypoint, there: Waypoint) -> tuple[float, float]:
    north = (there.latitude - here.latitude) * _METRES_PER_DEGREE
    east = (there.longitude - here.longitude) * _METRES_PER_DEGREE * math.cos(math.radians(here.latitude))
    return math.degrees(math.atan2(east, north)) % 360, math.hypot(north, east)


def _angle(degrees: float, digits: int, hemispheres: str) -> str:
    """Write degrees as NMEA does: whole degrees, minutes to five places (1.9 cm), hemisphere."""
    hundred_thousandths = round(abs(degrees) * 60 * 100_000)
    whole, minutes = divmod(hundred_thousandths, 60 * 100_000)
    return f"{whole:0{digits}d}{minutes / 100_000:08.5f},{hemispheres[degrees < 0]}"


def _satellites_used() -> Iterator[str]:
    for system, constellation in ((1, "GP"), (4, "GB")):
        numbers = [f"{number:02d}" for talker, number, _, _ in _SKY if talker == constellation]
        yield f"GNGSA,A,3,{','.join(numbers + [''] * (12 - len(numbers)))},1.52,0.86,1.25,{system}"


def _satellites_in_view(antenna: Antenna) -> Iterator[str]:
    for constellation in ("GP", "GB"):
        seen = [satellite for satellite in _SKY if satellite[0] == constellation]
        total = math.ceil(len(seen) / 4)
        for part in range(total):
            four = seen[part * 4 : part * 4 + 4]
            parts = [f"{number:02d},{up:02d},{to:03d},{antenna.strength_db(up):02d}" for _, number, up, to in four]
            yield f"{constellation}GSV,{total},{part + 1},{len(seen):02d},{','.join(parts)},1"


def _sentence(body: str) -> bytes:
    checksum = functools.reduce(operator.xor, body.encode("ascii"))
    return f"${body}*{checksum:02X}\r\n".encode("ascii")
