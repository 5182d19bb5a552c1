"""ESC/POS: bands of raster as they come, blank rows as feed. Names and bits are those of Epson's command reference."""

from collections.abc import Collection, Iterator
from functools import reduce
from operator import or_
from typing import Final

from drivers.printer.contract import Band, Bitmap, Condition, PrinterStatus, Query, Ticket
from drivers.printer.dialects.pages import BAND_ROWS, TEAR_OFF_MM, checked, runs
from protocol.errors import UndecodableMessageError

_MOST_FEED: Final = 0xFF
_FINEST_FED: Final = 0xFF
"""Dots per inch that GS P can say."""

INITIALISE: Final = b"\x1b@"
MOTION_UNITS: Final = b"\x1dP"
FEED: Final = b"\x1bJ"
RASTER: Final = b"\x1dv0\x00"
CUT: Final = b"\x1dVB\x00"
REAL_TIME_STATUS: Final = b"".join(bytes((0x10, 0x04, n)) for n in (1, 2, 3, 4))
QUEUED_STATUS: Final = b"\x1dr\x01"
AUTOMATIC_STATUS: Final = b"\x1da\x0e"
"""GS a: report by yourself when going on or off line, on errors, and about paper."""

_Meaning = tuple[tuple[int, Condition], ...]
_REAL_TIME: Final[tuple[_Meaning, ...]] = (
    ((0x08, Condition.OFFLINE),),
    ((0x04, Condition.COVER_OPEN), (0x20, Condition.PAPER_OUT)),
    ((0x08, Condition.PAPER_JAM), (0x20, Condition.FAULT), (0x40, Condition.OVERHEATED)),
    ((0x0C, Condition.PAPER_NEAR_END), (0x60, Condition.PAPER_OUT)),
)
"""DLE EOT 1 to 4. An error that ends by itself (bit 6 of 3) is the head's temperature; the cutter's is a jam."""
_QUEUED: Final[_Meaning] = ((0x03, Condition.PAPER_NEAR_END), (0x0C, Condition.PAPER_OUT))
_AUTOMATIC: Final[tuple[_Meaning, ...]] = (
    ((0x08, Condition.OFFLINE), (0x20, Condition.COVER_OPEN)),
    ((0x08, Condition.PAPER_JAM), (0x20, Condition.FAULT), (0x40, Condition.OVERHEATED)),
    ((0x03, Condition.PAPER_NEAR_END), (0x0C, Condition.PAPER_OUT)),
    (),
)
_BY_ITSELF: Final = 4
"""Bytes of an automatic status."""
_FIXED: Final = 0x93
"""Bits that are the same in every answer of a kind, and tell the kinds apart."""
_IS_REAL_TIME: Final = 0x12
_IS_AUTOMATIC: Final = 0x10
_NEVER_IN_THE_REST: Final = 0x90
"""Bits that are clear in the answer to GS r, and in the second to fourth byte of an automatic status."""


class EscPos:
    """Receipt printers. What is printed stays: a ticket goes on from any band."""

    name = "escpos"

    def __init__(self, width: int, *, dpi: int, cutter: bool, answers: Collection[str]) -> None:
        self.width = width
        self._dpi, self._cutter = dpi, cutter
        self.status_query = Query(REAL_TIME_STATUS, decode_real_time) if "status" in answers else None
        self.completion_query = Query(QUEUED_STATUS, decode_queued) if "completion" in answers else None
        self.announcements = Query(AUTOMATIC_STATUS, decode_automatic) if "announcements" in answers else None

    def encode(self, picture: Bitmap) -> Ticket:
        checked(picture, self.width)
        feed_rows = round(TEAR_OFF_MM * self._dpi / 25.4)
        return Ticket(
            bands=tuple(self._bands(picture)),
            width=self.width,
            height=picture.height,
            feed_rows=feed_rows,
            preamble=INITIALISE + self._motion_units(),
            ending=b"".join(self._feed(feed_rows)) + (CUT if self._cutter else b""),
            # A raster that was cut off takes them as white dots; outside of a command they mean nothing.
            recovery=bytes(len(RASTER) + 4 + BAND_ROWS * picture.stride) + INITIALISE,
            resumable=True,
        )

    def _motion_units(self) -> bytes:
        """Make the unit of a feed one dot, which printers differ in. It has one byte: a finer head is fed by raster."""
        return MOTION_UNITS + bytes((self._dpi, self._dpi)) if self._feeds else b""

    @property
    def _feeds(self) -> bool:
        return self._dpi <= _FINEST_FED

    def _bands(self, picture: Bitmap) -> Iterator[Band]:
        for first, rows, white in runs(picture):
            if white and self._feeds:
                for at in range(first, first + rows, _MOST_FEED):
                    step = min(_MOST_FEED, first + rows - at)
                    yield Band(FEED + bytes((step,)), at, step)
                continue
            for at in range(first, first + rows, BAND_ROWS):
                step = min(BAND_ROWS, first + rows - at)
                yield Band(_raster(picture.stride, step, picture.band(at, step)), at, step)

    def _feed(self, rows: int) -> Iterator[bytes]:
        if not self._feeds:
            yield _raster(self.width // 8, rows, bytes(self.width // 8 * rows))
            return
        for at in range(0, rows, _MOST_FEED):
            yield FEED + bytes((min(_MOST_FEED, rows - at),))


def _raster(stride: int, rows: int, dots: bytes) -> bytes:
    return RASTER + stride.to_bytes(2, "little") + rows.to_bytes(2, "little") + dots


def decode_real_time(heard: bytes) -> PrinterStatus | None:
    """Read the answers to DLE EOT 1, 2, 3 and 4, one byte each; automatic status may stand between them."""
    answers, rest = b"", heard
    while rest and len(answers) < len(_REAL_TIME):
        if rest[0] & _FIXED == _IS_REAL_TIME:
            answers, rest = answers + rest[:1], rest[1:]
        elif rest[0] & _FIXED == _IS_AUTOMATIC:
            rest = rest[_BY_ITSELF:]
        else:
            raise UndecodableMessageError(f"{rest[0]:#04x} is no answer to DLE EOT", heard)
    if len(answers) < len(_REAL_TIME):
        return None
    return _status(zip(_REAL_TIME, answers, strict=True))


def decode_queued(heard: bytes) -> PrinterStatus | None:
    """Read the answer to GS r 1, which the printer gives when it has done everything before it.

    It is complete with the first byte that is not part of an automatic status.
    """
    rest = heard
    while rest and rest[0] & _FIXED == _IS_AUTOMATIC:
        rest = rest[_BY_ITSELF:]
    if not rest:
        return None
    if rest[0] & _NEVER_IN_THE_REST:
        raise UndecodableMessageError(f"{rest[0]:#04x} is no answer to GS r", heard)
    return _status(((_QUEUED, rest[0]),))


def decode_automatic(heard: bytes) -> PrinterStatus | None:
    """Read the latest automatic status (GS a), four bytes; anything else in between is passed over."""
    latest, at = None, 0
    while at + _BY_ITSELF <= len(heard):
        group = heard[at : at + _BY_ITSELF]
        if group[0] & _FIXED == _IS_AUTOMATIC and not any(byte & _NEVER_IN_THE_REST for byte in group[1:]):
            latest = _status(zip(_AUTOMATIC, group, strict=True))
            at += _BY_ITSELF
        else:
            at += 1
    return latest


def _status(answers: Iterator[tuple[_Meaning, int]] | tuple[tuple[_Meaning, int], ...]) -> PrinterStatus:
    found = [frozenset(condition for bits, condition in meaning if byte & bits) for meaning, byte in answers]
    return PrinterStatus(reduce(or_, found, frozenset()))
