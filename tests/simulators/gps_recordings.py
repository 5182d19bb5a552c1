"""The real receivers whose bytes are at hand, and what is known of where they were.

`shared/data/gps/receivers/*.log` are the bytes of a receiver, `*.log.chk` what gpsd made of them: lines of JSON between
the NMEA that it read, or wrote itself where the receiver spoke binary. `gps/drive` is a car with a survey-grade truth.
"""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from drivers.gps.epochs import Epoch, Grouper
from drivers.gps.framing import Framer
from drivers.gps.languages import Language
from drivers.gps.positions import Positions
from drivers.gps.sentences import decode
from protocol.messages import Position

GPS = Path(__file__).parents[3] / "shared/data/gps"
RECEIVERS = GPS / "receivers"
DRIVE = GPS / "drive/MTV.Local1.ublox-F9K.20200206-181434.nmea"
TRUTH = GPS / "drive/MTV.Local1.SPAN.20200206-181434.gga"

NMEA = (
    "april6_2019",
    "furuno_gl_ga",
    "hab-gpspi",
    "mt3339",
    "navika-100-fix",
    "nmea-fuzzy-cases",
    "st-teseo-liv4f",
    "tcp-torture",
)
# These spoke binary: what gpsd knows comes from there, and its own rendering in NMEA is what we can read.
BINARY = ("bu303-moving", "bu303-nofix", "quectel-l76k-binary", "ublox-neo-m8n")
ALL = NMEA + BINARY

WEEKS_BEGAN_AGAIN = timedelta(weeks=1024)


@dataclass(frozen=True, slots=True)
class Fix:
    latitude: float
    longitude: float


def bytes_of(name: str) -> bytes:
    """Return the NMEA of a recording, as it would come from the line."""
    if name in BINARY:
        return oracle_of(name)
    stream = (RECEIVERS / f"{name}.log").read_bytes()
    # The header of this one declares the bar as a pause of its player.
    return stream.replace(b"|", b"") if name == "tcp-torture" else stream


def oracle_of(name: str) -> bytes:
    return (RECEIVERS / f"{name}.log.chk").read_bytes()


def gpsd_lines(name: str) -> bytes:
    """Return what gpsd's socket said while the recording was played."""
    return b"".join(line + b"\n" for line in oracle_of(name).splitlines() if line.startswith(b"{"))


def gpsd_fixes(name: str) -> dict[datetime, Fix]:
    """Return gpsd's fixes by their time; the last one said of an instant counts."""
    fixes = {}
    for line in gpsd_lines(name).splitlines():
        said = json.loads(line)
        if said["class"] == "TPV" and said["mode"] >= 2 and {"time", "lat", "lon"} <= said.keys():
            fixes[datetime.fromisoformat(said["time"])] = Fix(said["lat"], said["lon"])
    return fixes


def positions_of(language: Language, pieces: Iterable[bytes], box: datetime) -> tuple[list[Position], dict[str, int]]:
    """Return the positions that our reader makes of a stream, and what it counted."""
    grouper, positions = Grouper(), Positions("unit-1")
    found: list[Position] = []

    def judge(epoch: Epoch | None) -> None:
        if epoch and (position := positions.of(epoch, box)):
            found.append(position)

    for piece in pieces:
        for sentence, statement in language.feed(piece):
            judge(grouper.add(sentence, statement))
    language.finish()
    judge(grouper.close())
    return found, {**language.counts(), **positions.refused}


def truth() -> dict[timedelta, Fix]:
    """Return the surveyed track of the drive by time of day. Only its GGA is sound."""
    track = {}
    for sentence in Framer().feed(TRUTH.read_bytes()):
        statement = decode(sentence)
        if statement and statement.place and statement.since_midnight is not None:
            track[statement.since_midnight] = Fix(statement.place.latitude, statement.place.longitude)
    return track


def drive_errors_m(positions: Iterable[Position]) -> list[float]:
    """Return the sorted horizontal errors of the drive, over the instants that both know."""
    track = truth()
    pairs = ((track.get(timedelta(hours=p.at.hour, minutes=p.at.minute, seconds=p.at.second)), p) for p in positions)
    return sorted(metres(true, position) for true, position in pairs if true and not position.at.microsecond)


def metres(one: Fix | Position, other: Fix | Position) -> float:
    north = other.latitude - one.latitude
    east = (other.longitude - one.longitude) * math.cos(math.radians(one.latitude))
    return math.hypot(north, east) * 111_195
