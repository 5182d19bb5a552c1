"""GPS receivers: how fast their line is, and the commands that set their rate, constellations and sentences.

Commands are written out with their checksums, as the makers' manuals print them, so that a person can compare them:
NMEA-style sentences (NMEA 0183: exclusive or of what stands between `$` and `*`) or UBX frames (u-blox: Fletcher's
checksum with 8 bits, RFC 1145, over class, id, length and payload).
"""

from functools import reduce
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from firmware_configs.schema import Family, Line, Profile

Baud = Annotated[int, Meta(ge=300, le=4_000_000)]
Constellation = Literal["gps", "beidou", "glonass", "galileo", "qzss", "sbas"]
Purpose = Literal["rate", "constellations", "sentences", "baud", "save", "restart"]

_UBX_SYNC: Final = b"\xb5\x62"
_UBX_HEAD: Final = 6
_UBX_FRAME: Final = 8


class GpsCommand(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One command: `nmea`, a sentence without its line end, or `ubx`, a frame in hexadecimal."""

    name: Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9-]{0,63}$")]
    purpose: Purpose
    does: Line
    nmea: Annotated[str, Meta(pattern=r"^\$[\x20-\x23\x25-\x29\x2b-\x7e]{1,200}\*[0-9A-F]{2}$")] | None = None
    ubx: Annotated[str, Meta(pattern="^[0-9A-F]{2}( [0-9A-F]{2}){7,300}$")] | None = None

    def __post_init__(self) -> None:
        """Refuse a command that its receiver would refuse."""
        if (self.nmea is None) == (self.ubx is None):
            raise ValueError(f"{self.name}: either `nmea` or `ubx`")
        if self.nmea is not None:
            body, _, told = self.nmea[1:].partition("*")
            if (due := nmea_checksum(body)) != told:
                raise ValueError(f"{self.name}: the checksum of {self.nmea} is {due}")
        if self.ubx is not None:
            _check_ubx(self.name, bytes.fromhex(self.ubx))

    @property
    def payload(self) -> bytes:
        """What is written to the receiver."""
        return bytes.fromhex(self.ubx) if self.ubx is not None else f"{self.nmea}\r\n".encode("ascii")


class GpsReceiver(Profile, frozen=True, kw_only=True):
    """A receiver. `bauds` are the speeds that it is found at, the delivered one first; `rates_hz` fixes per second."""

    protocol: Literal["ubx", "casic", "pmtk", "pair", "unicore"]
    bauds: Annotated[tuple[Baud, ...], Meta(min_length=1, max_length=8)]
    rates_hz: Annotated[tuple[Annotated[float, Meta(gt=0, le=50)], ...], Meta(min_length=1, max_length=16)]
    constellations: Annotated[tuple[Constellation, ...], Meta(min_length=1, max_length=6)]
    commands: Annotated[tuple[GpsCommand, ...], Meta(min_length=1, max_length=64)]

    def __post_init__(self) -> None:
        """Refuse two commands of one name."""
        names = [command.name for command in self.commands]
        if len(names) != len(set(names)):
            raise ValueError(f"commands of one name: {', '.join(sorted({n for n in names if names.count(n) > 1}))}")

    def command(self, name: str) -> GpsCommand | None:
        """Return the command of this name, None when the receiver has none."""
        return next((command for command in self.commands if command.name == name), None)


GPS: Final = Family("gps", GpsReceiver)


def nmea_checksum(body: str) -> str:
    """Return the checksum of what stands between `$` and `*`, two hexadecimal digits."""
    return f"{reduce(lambda left, right: left ^ right, body.encode('ascii'), 0):02X}"


def ubx_checksum(body: bytes) -> bytes:
    """Return the two checksum bytes over class, id, length and payload."""
    first = second = 0
    for byte in body:
        first = (first + byte) & 0xFF
        second = (second + first) & 0xFF
    return bytes((first, second))


def _check_ubx(name: str, frame: bytes) -> None:
    if frame[:2] != _UBX_SYNC:
        raise ValueError(f"{name}: a UBX frame begins with B5 62")
    if len(frame) - _UBX_FRAME != int.from_bytes(frame[4:_UBX_HEAD], "little"):
        raise ValueError(f"{name}: the frame is not as long as it says")
    if frame[-2:] != (due := ubx_checksum(frame[2:-2])):
        raise ValueError(f"{name}: the frame's checksum is {due.hex(' ').upper()}")
