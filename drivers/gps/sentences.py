"""NMEA 0183 sentences to statements: GGA RMC GNS GLL GSA GST GSV VTG ZDA of every satellite talker.

`pynmea2` recognises the sentence and names its fields; the values are read here, strictly. (Its own properties turn an
empty latitude into 0.0 and let "nan" pass as a number.) A sentence with a good checksum can still be wrong: receivers
were seen to send a GGA without its longitude, correctly summed. So the number of fields and the hemispheres are checked
too.
"""

import math
import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Final

import pynmea2

from drivers.gps.statements import Place, Signal, Statement

TALKERS: Final = frozenset({"GP", "GN", "GL", "GA", "GB", "BD", "GQ", "QZ"})
KNOT_MPS: Final = 1852 / 3600
NO_FIX_QUALITIES: Final = {0: "no fix", 6: "estimated", 7: "set by hand", 8: "simulator"}
_NO_FIX_MODES: Final = {"N": "no fix", "E": "estimated", "M": "set by hand", "S": "simulator"}
_QUALITY_OF_MODE: Final = {"A": 1, "D": 2, "P": 3, "R": 4, "F": 5}
_CENTURY_PIVOT: Final = 80  # GPS began in 1980; RMC writes two digits
_TIME: Final = re.compile(r"([01]\d|2[0-3])([0-5]\d)([0-5]\d|60)(\.\d{0,9})?")
_ANGLE: Final = re.compile(r"(\d{1,3})([0-5]\d(?:\.\d{1,12})?)")
_NUMBER: Final = re.compile(r"[+-]?(\d{1,12}(\.\d{0,12})?|\.\d{1,12})")
_DATE: Final = re.compile(r"(\d\d)(\d\d)(\d\d)")


class MalformedSentenceError(ValueError):
    """A sentence with a good checksum whose content cannot be meant."""


class _Fields:
    """A sentence's fields by the names that pynmea2 gives them; an empty or absent field is None."""

    def __init__(self, sentence: pynmea2.TalkerSentence) -> None:
        self.talker: str = sentence.talker
        self.data: list[str] = sentence.data
        self._index: dict[str, int] = sentence.name_to_idx

    def text(self, name: str) -> str | None:
        index = self._index[name]
        return (self.data[index].strip() or None) if index < len(self.data) else None

    def number(self, name: str, low: float, high: float) -> float | None:
        text = self.text(name)
        return None if text is None else _number(name, text, low, high)

    def whole(self, name: str, high: int) -> int | None:
        value = self.number(name, 0, high)
        return None if value is None else int(value)

    def time(self) -> timedelta | None:
        text = self.text("timestamp")
        if text is None:
            return None
        if not (found := _TIME.fullmatch(text)):
            raise MalformedSentenceError(f"time {text!r}")
        hour, minute, second, part = found.groups()
        return timedelta(hours=int(hour), minutes=int(minute), seconds=float(second + (part or "")))

    def place(self) -> Place:
        return Place(self._angle("lat", "NS", 90), self._angle("lon", "EW", 180))

    def _angle(self, name: str, hemispheres: str, limit: int) -> float:
        text, hemisphere = self.text(name) or "", self.text(f"{name}_dir") or ""
        found = _ANGLE.fullmatch(text)
        if not found or len(hemisphere) != 1 or hemisphere not in hemispheres:
            raise MalformedSentenceError(f"{name} {text!r} {hemisphere!r}")
        angle = int(found[1]) + float(found[2]) / 60
        if angle > limit:
            raise MalformedSentenceError(f"{name} {text!r}")
        return angle if hemisphere == hemispheres[0] else -angle


def decode(sentence: bytes) -> Statement | None:
    """Read a framed sentence; return None for one that says nothing of position, speed, time or signals.

    Raises MalformedSentenceError for one of ours whose checksum, number of fields, hemispheres or values are wrong.
    """
    try:
        parsed = pynmea2.parse(sentence.decode("ascii"), check=True)
    except pynmea2.SentenceTypeError:
        return None
    except (pynmea2.ParseError, UnicodeDecodeError) as error:
        raise MalformedSentenceError(str(error)) from error
    if not isinstance(parsed, pynmea2.TalkerSentence) or parsed.talker not in TALKERS:
        return None
    kind: str = parsed.sentence_type
    if kind not in _KINDS:
        return None
    counts, read = _KINDS[kind]
    if len(parsed.data) not in counts:
        raise MalformedSentenceError(f"{kind} with {len(parsed.data)} fields")
    return read(_Fields(parsed))


def _gga(fields: _Fields) -> Statement:
    quality = fields.whole("gps_qual", 9)
    if quality is None or quality in NO_FIX_QUALITIES:
        return Statement("GGA", fields.time(), no_fix=f"quality {quality}: {NO_FIX_QUALITIES[quality or 0]}")
    return Statement(
        "GGA",
        fields.time(),
        place=fields.place(),
        quality=quality,
        altitude_m=fields.number("altitude", -20_000, 100_000),
        hdop=fields.number("horizontal_dil", 0, 1_000),
        satellites=fields.whole("num_sats", 1_000),
    )


def _rmc(fields: _Fields) -> Statement:
    mode = fields.text("mode_indicator")
    if no_fix := _status_says_no(fields.text("status"), mode):
        return Statement("RMC", fields.time(), no_fix=no_fix)
    text = fields.text("datestamp")
    speed = fields.number("spd_over_grnd", 0, 1_900)
    return Statement(
        "RMC",
        fields.time(),
        day=None if text is None else _short_date(text),
        place=fields.place(),
        quality=_QUALITY_OF_MODE.get(mode or "A"),
        speed_mps=None if speed is None else speed * KNOT_MPS,
        course_deg=fields.number("true_course", 0, 360),
    )


def _gns(fields: _Fields) -> Statement:
    modes = fields.text("mode_indicator") or "N"
    working = modes.replace("N", "")
    no_fix = next((_NO_FIX_MODES[mode] for mode in working or "N" if mode in _NO_FIX_MODES), None)
    if no_fix:
        return Statement("GNS", fields.time(), no_fix=f"mode {modes}: {no_fix}")
    return Statement(
        "GNS",
        fields.time(),
        place=fields.place(),
        quality=max((_QUALITY_OF_MODE.get(mode, 1) for mode in working), default=None),
        altitude_m=fields.number("altitude", -20_000, 100_000),
        hdop=fields.number("hdop", 0, 1_000),
        satellites=fields.whole("num_sats", 1_000),
    )


def _gll(fields: _Fields) -> Statement:
    mode = fields.text("faa_mode")
    if no_fix := _status_says_no(fields.text("status"), mode):
        return Statement("GLL", fields.time(), no_fix=no_fix)
    return Statement("GLL", fields.time(), place=fields.place(), quality=_QUALITY_OF_MODE.get(mode or "A"))


def _gsa(fields: _Fields) -> Statement:
    return Statement("GSA", dimensions=fields.whole("mode_fix_type", 3), hdop=_gsa_hdop(fields))


def _gsa_hdop(fields: _Fields) -> float | None:
    # Some Chinese receivers list more than twelve satellites, which moves the three dilutions.
    return fields.number("hdop", 0, 1_000) if len(fields.data) in {17, 18} else None


def _gst(fields: _Fields) -> Statement:
    north = fields.number("std_dev_latitude", 0, 700_000)
    east = fields.number("std_dev_longitude", 0, 700_000)
    return Statement("GST", fields.time(), sigma_m=None if north is None or east is None else math.hypot(north, east))


def _gsv(fields: _Fields) -> Statement:
    # Three fields of the whole, then up to four satellites with number, elevation, azimuth and C/N0, then in version
    # 4.10 the signal's id. Most sentences are these, so the fields are taken by their places.
    data, talker = fields.data, fields.talker
    signals = [
        Signal(talker + data[place], strength)
        for place in range(3, len(data) - 3, 4)
        if data[place] and data[place + 3] and (strength := _number("snr", data[place + 3], 0, 99))
    ]
    return Statement("GSV", signals=tuple(signals))


def _vtg(fields: _Fields) -> Statement:
    mode = fields.text("faa_mode")
    if mode in _NO_FIX_MODES:
        return Statement("VTG", no_fix=f"mode {mode}: {_NO_FIX_MODES[mode]}")
    speed = fields.number("spd_over_grnd_kmph", 0, 3_600)
    return Statement(
        "VTG", speed_mps=None if speed is None else speed / 3.6, course_deg=fields.number("true_track", 0, 360)
    )


def _zda(fields: _Fields) -> Statement:
    year, month, day = fields.number("year", 1980, 2200), fields.whole("month", 12), fields.whole("day", 31)
    if year is None or month is None or day is None:
        return Statement("ZDA", fields.time())
    return Statement("ZDA", fields.time(), day=_date(int(year), month, day))


def _number(name: str, text: str, low: float, high: float) -> float:
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    if not low <= value <= high:
        raise MalformedSentenceError(f"{name} {text!r}")
    return value


def _status_says_no(status: str | None, mode: str | None) -> str | None:
    if status != "A":
        return f"status {status or 'empty'}"
    return f"mode {mode}: {_NO_FIX_MODES[mode]}" if mode in _NO_FIX_MODES else None


def _short_date(text: str) -> date:
    if not (found := _DATE.fullmatch(text)):
        raise MalformedSentenceError(f"date {text!r}")
    day, month, year = (int(part) for part in found.groups())
    return _date(year + (1900 if year >= _CENTURY_PIVOT else 2000), month, day)


def _date(year: int, month: int, day: int) -> date:
    try:
        return date(year, month, day)
    except ValueError as error:
        raise MalformedSentenceError(f"date {year}-{month}-{day}") from error


# How many fields each may have, over the versions 2.0 to 4.11 of the standard, and who reads it.
_KINDS: Final[dict[str, tuple[range, Callable[[_Fields], Statement]]]] = {
    "GGA": (range(14, 15), _gga),
    "RMC": (range(11, 14), _rmc),
    "GNS": (range(12, 14), _gns),
    "GLL": (range(6, 8), _gll),
    "GSA": (range(17, 31), _gsa),
    "GST": (range(8, 9), _gst),
    "GSV": (range(3, 21), _gsv),
    "VTG": (range(8, 10), _vtg),
    "ZDA": (range(6, 7), _zda),
}
