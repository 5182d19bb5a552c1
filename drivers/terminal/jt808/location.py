"""Where a terminal is, as it says it: the body of 0x0200 (JT/T 808-2013 section 8.18, -2019 section 8.12).

Basic data of 28 bytes: alarm and status words, latitude and longitude in millionths of a degree without sign, altitude
in metres, speed in 0.1 km/h, course in degrees, and the time as BCD in UTC+8. After it any number of items: an id, a
length, and as many bytes.
"""

import struct
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from msgspec import Struct

from drivers.terminal.jt808.messages import Message
from protocol.datums import Datum, Place
from protocol.errors import UndecodableMessageError
from protocol.messages import Position, Severity, Value

BEIJING: Final = timezone(timedelta(hours=8))
_BASIC: Final = struct.Struct(">IIIIhHH")
_BASIC_BYTES: Final = _BASIC.size + 6

_DECIMALS: Final = 7
"""Of a degree: a centimetre, where the terminal says ten."""
_FASTEST: Final = 36_000
"""In 0.1 km/h. More is how some units say that they do not know."""

_IGNITION: Final = 1 << 0
_LOCATED: Final = 1 << 1
_SOUTH: Final = 1 << 2
_WEST: Final = 1 << 3
_SCRAMBLED: Final = 1 << 5

ALARMS: Final[Mapping[int, tuple[str, Severity]]] = {
    0: ("terminal.emergency", Severity.CRITICAL),
    1: ("terminal.overspeed", Severity.MINOR),
    4: ("terminal.gnss_fault", Severity.MINOR),
    5: ("terminal.antenna_cut", Severity.MAJOR),
    6: ("terminal.antenna_short", Severity.MINOR),
    7: ("terminal.power_low", Severity.MINOR),
    8: ("terminal.power_cut", Severity.MAJOR),
    26: ("terminal.stolen", Severity.CRITICAL),
    28: ("terminal.moved_illegally", Severity.MAJOR),
    29: ("terminal.collision", Severity.CRITICAL),
    30: ("terminal.rollover", Severity.CRITICAL),
}
"""Bits of the alarm word that become events, with what they are called and how much they matter."""

_SATELLITES: Final = 0x31
# The standard's items that are numbers: name, layout, factor.
_NUMBERS: Final[Mapping[int, tuple[str, str, float]]] = {
    0x01: ("mileage_km", ">I", 0.1),
    0x02: ("fuel_l", ">H", 0.1),
    0x03: ("recorder_speed_kmh", ">H", 0.1),
    0x30: ("signal_strength", ">B", 1.0),
    _SATELLITES: ("satellites", ">B", 1.0),
}


class Location(Struct, frozen=True):
    """One location report as it came.

    `latitude` and `longitude` are signed degrees of the terminal's own datum, whether it `is_located` or not.
    """

    alarms: int
    status: int
    latitude: float
    longitude: float
    altitude_m: int
    speed_mps: float | None
    course_deg: int
    at: datetime
    items: tuple[tuple[int, bytes], ...] = ()

    @property
    def is_located(self) -> bool:
        """Whether the terminal vouches for the place."""
        return bool(self.status & _LOCATED)

    @property
    def is_scrambled(self) -> bool:
        """Whether a coordinate security plug-in has shifted the place (status bit 5): then it is GCJ-02."""
        return bool(self.status & _SCRAMBLED)

    def position(self, device: str, flags: tuple[str, ...], datum: Datum = Datum.WGS84) -> Position:
        """Return the place as a record: the one border at which the terminal's datum becomes WGS-84."""
        satellites = next((item[0] for number, item in self.items if number == _SATELLITES and len(item) == 1), None)
        place = Place(self.latitude, self.longitude, datum).to(Datum.WGS84)
        return Position(
            device=device,
            at=self.at,
            latitude=round(place.latitude, _DECIMALS),
            longitude=round(place.longitude, _DECIMALS),
            altitude_m=float(self.altitude_m),
            speed_mps=self.speed_mps,
            course_deg=float(self.course_deg),
            satellites=satellites,
            flags=flags if datum == Datum.WGS84 else (*flags, f"from_{datum}"),
        )

    def values(self) -> dict[str, Value]:
        """Return what else it says: the ignition, the items that are numbers, all others as hexadecimal `item_…`."""
        values: dict[str, Value] = {"ignition": bool(self.status & _IGNITION)}
        for number, item in self.items:
            name, layout, factor = _NUMBERS.get(number, ("", "", 0.0))
            if name and struct.calcsize(layout) == len(item):
                (count,) = struct.unpack(layout, item)
                values[name] = round(count * factor, 1)
            else:
                values[f"item_{number:02x}"] = item.hex()
        return values


def read_location(body: bytes) -> Location:
    """Read a location report; raises UndecodableMessageError when it is too short or out of its ranges."""
    if len(body) < _BASIC_BYTES:
        raise UndecodableMessageError(f"a location of {len(body)} bytes", body)
    alarms, status, north, east, altitude_m, speed, course = _BASIC.unpack_from(body)
    if north > 90_000_000 or east > 180_000_000 or course > 360:  # noqa: PLR2004 - degrees
        raise UndecodableMessageError(f"latitude {north}, longitude {east}, course {course}", body)
    return Location(
        alarms=alarms,
        status=status,
        latitude=(-north if status & _SOUTH else north) / 1e6,
        longitude=(-east if status & _WEST else east) / 1e6,
        altitude_m=altitude_m,
        speed_mps=round(speed / 36, 3) if speed <= _FASTEST else None,
        course_deg=course,
        at=_time(body[_BASIC.size : _BASIC_BYTES]),
        items=tuple(_items(body)),
    )


def read_batch(message: Message) -> list[Location]:
    """Read a batch (0x0704) of locations that were kept while there was no network.

    Raises UndecodableMessageError when any of them is none: the terminal keeps them and may send them singly.
    """
    body = message.body
    if len(body) < 3:  # noqa: PLR2004 - a word and a byte
        raise UndecodableMessageError(f"a batch of {len(body)} bytes", body)
    count, at = int.from_bytes(body[:2]), 3
    locations: list[Location] = []
    while at + 2 <= len(body):
        end = at + 2 + int.from_bytes(body[at : at + 2])
        if end > len(body):
            raise UndecodableMessageError(f"a location of {end - at - 2} bytes in {len(body) - at - 2}", body)
        locations.append(read_location(body[at + 2 : end]))
        at = end
    if at != len(body) or count != len(locations):
        raise UndecodableMessageError(f"{len(locations)} locations in a batch of {count}", body)
    return locations


def _items(body: bytes) -> Iterator[tuple[int, bytes]]:
    at = _BASIC_BYTES
    while at < len(body):
        end = at + 2 + body[at + 1] if at + 1 < len(body) else len(body) + 1
        if end > len(body):
            raise UndecodableMessageError(f"an item of {end - at - 2} bytes in {len(body) - at - 2}", body)
        yield body[at], body[at + 2 : end]
        at = end


def _time(field: bytes) -> datetime:
    digits = field.hex()
    try:
        year, month, day, hour, minute, second = (int(digits[at : at + 2]) for at in range(0, 12, 2))
        return datetime(2000 + year, month, day, hour, minute, second, tzinfo=BEIJING).astimezone(UTC)
    except ValueError as error:
        raise UndecodableMessageError(f"a time {digits}", field) from error
