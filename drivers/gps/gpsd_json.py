"""The JSON of gpsd's socket (protocol 3) to statements: TPV, SKY and GST; the rest is passed over.

gpsd sends several TPV for one instant as sentences come in; each replaces the one before.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from math import hypot
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from drivers.gps.statements import Place, Signal, Statement

_MAX_LINE: Final = 64 * 1024
_TWO_DIMENSIONS: Final = 2
_FIRST_YEAR: Final = 1980  # of GPS; a date far from now would overflow in arithmetic
_LAST_YEAR: Final = 2200
# `status` of TPV to the quality of GGA. Not in it: dead reckoning (5), surveyed (7) and simulated (8) are no fix.
_QUALITY: Final = {0: 1, 1: 1, 2: 2, 3: 4, 4: 5, 6: 1, 9: 3}

_Metres = Annotated[float, Meta(ge=0, le=1_000_000)]
_Dilution = Annotated[float, Meta(ge=0, le=1_000)]


class _Head(Struct, frozen=True, rename={"kind": "class"}):
    kind: str
    device: str = ""


class _Tpv(Struct, frozen=True):
    mode: int = 0
    status: int = 0
    time: datetime | None = None
    lat: Annotated[float, Meta(ge=-90, le=90)] | None = None
    lon: Annotated[float, Meta(ge=-180, le=180)] | None = None
    altitude: Annotated[float, Meta(ge=-20_000, le=100_000)] | None = msgspec.field(name="altMSL", default=None)
    speed: Annotated[float, Meta(ge=0, le=1_000)] | None = None
    track: Annotated[float, Meta(ge=0, le=360)] | None = None


class _Satellite(Struct, frozen=True):
    prn: int = msgspec.field(name="PRN", default=0)
    gnssid: int = 0
    ss: Annotated[float, Meta(ge=0, le=100)] = 0.0


class _Sky(Struct, frozen=True):
    hdop: _Dilution | None = None
    used: Annotated[int, Meta(ge=0, le=1_000)] | None = msgspec.field(name="uSat", default=None)
    satellites: tuple[_Satellite, ...] = ()


class _Gst(Struct, frozen=True):
    lat: _Metres | None = None
    lon: _Metres | None = None


_heads: Final = msgspec.json.Decoder(_Head)
_tpvs: Final = msgspec.json.Decoder(_Tpv)
_skies: Final = msgspec.json.Decoder(_Sky)
_errors: Final = msgspec.json.Decoder(_Gst)


def watch(receiver: str | None) -> bytes:
    """Return the request that starts the stream: of this receiver (its path at gpsd), or of all."""
    wanted: dict[str, Any] = {"enable": True, "json": True, "scaled": True}
    if receiver is not None:
        wanted["device"] = receiver
    return b"?WATCH=" + msgspec.json.encode(wanted) + b";\n"


class GpsdJson:
    """One line, one object. Where gpsd has several receivers and none was chosen, the first that speaks is heard."""

    def __init__(self) -> None:
        self._rest = b""
        self._receiver = ""
        self._skipping = False
        self._sentences = 0
        self._malformed = 0
        self._elsewhere = 0

    def feed(self, piece: bytes) -> Iterator[tuple[bytes, Statement | None]]:
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            if self._skipping:
                self._skipping = False
            elif line.strip():
                yield from self._read(line.rstrip())
        if len(self._rest) > _MAX_LINE:
            self._malformed += not self._skipping
            self._skipping, self._rest = True, b""

    def finish(self) -> None:
        self._malformed += bool(self._rest.strip())
        self._rest = b""

    def counts(self) -> dict[str, int]:
        return {"sentences": self._sentences, "malformed": self._malformed, "other_receivers": self._elsewhere}

    def _read(self, line: bytes) -> Iterator[tuple[bytes, Statement | None]]:
        try:
            head = _heads.decode(line)
            statement = _decode(head.kind, line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self._malformed += 1
            return
        if statement and head.device:
            self._receiver = self._receiver or head.device
            if head.device != self._receiver:
                self._elsewhere += 1
                return
        self._sentences += 1
        yield line, statement


def _decode(kind: str, line: bytes) -> Statement | None:
    match kind:
        case "TPV":
            return _position(_tpvs.decode(line))
        case "SKY":
            return _sky(_skies.decode(line))
        case "GST":
            error = _errors.decode(line)
            sigma = None if error.lat is None or error.lon is None else hypot(error.lat, error.lon)
            return Statement("GST", sigma_m=sigma, supersedes=True)
        case _:
            return None


def _position(tpv: _Tpv) -> Statement:
    day, since_midnight = (None, None) if tpv.time is None else _date_and_time(tpv.time)
    if tpv.lat is None or tpv.lon is None or tpv.mode < _TWO_DIMENSIONS or tpv.status not in _QUALITY:
        no_fix = f"mode {tpv.mode}, status {tpv.status}"
        return Statement("TPV", since_midnight, day, no_fix=no_fix, supersedes=True)
    return Statement(
        "TPV",
        since_midnight,
        day,
        place=Place(tpv.lat, tpv.lon),
        quality=_QUALITY[tpv.status],
        dimensions=tpv.mode,
        altitude_m=tpv.altitude,
        speed_mps=tpv.speed,
        course_deg=tpv.track,
        supersedes=True,
    )


def _date_and_time(at: datetime) -> tuple[date, timedelta]:
    if not _FIRST_YEAR <= at.year <= _LAST_YEAR:
        raise msgspec.ValidationError(f"time {at.isoformat()}")
    utc = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return utc.date(), timedelta(hours=utc.hour, minutes=utc.minute, seconds=utc.second, microseconds=utc.microsecond)


def _sky(sky: _Sky) -> Statement:
    signals = tuple(Signal(f"{one.gnssid}/{one.prn}", one.ss) for one in sky.satellites if one.ss > 0)
    # Without a list of satellites it tells dilutions only, and must not replace one that has the list.
    kind = "SKY" if sky.satellites else "DOP"
    return Statement(kind, hdop=sky.hdop, satellites=sky.used, signals=signals, supersedes=True)
