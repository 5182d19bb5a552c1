"""CPCL (Zebra's CPCL programming manual): portable printers of Zebra, and of many makers after it."""

from collections.abc import Collection
from typing import Final

from drivers.printer.contract import Bitmap, Condition, PrinterStatus, Query, Ticket
from drivers.printer.dialects.pages import BAND_ROWS, TEAR_OFF_MM, checked, page_bands
from protocol.errors import UndecodableMessageError

STATUS: Final = b"\x1bh"
_BITS: Final = (
    (0x01, Condition.BUSY),
    (0x02, Condition.PAPER_OUT),
    (0x04, Condition.COVER_OPEN),
    (0x08, Condition.LOW_BATTERY),
)
_KNOWN: Final = 0x1F
"""Bit 4 says that the printer was switched on since it was last asked; nothing follows from it here."""


class Cpcl:
    """A page on endless paper, burnt by PRINT."""

    name = "cpcl"
    announcements = None

    def __init__(self, width: int, *, dots_per_mm: int, answers: Collection[str]) -> None:
        self.width = width
        self._dots_per_mm = dots_per_mm
        self.status_query = Query(STATUS, decode_status) if "status" in answers else None
        self.completion_query = Query(STATUS, decode_status) if "completion" in answers else None

    def encode(self, picture: Bitmap) -> Ticket:
        checked(picture, self.width)
        feed_rows = TEAR_OFF_MM * self._dots_per_mm
        # Offset, then the two densities, which no printer minds any more, then height and number of pages. JOURNAL
        # keeps the printer from searching the endless paper for marks.
        setup = f"! 0 200 200 {picture.height + feed_rows} 1\r\nPAGE-WIDTH {self.width}\r\nJOURNAL\r\n"
        return Ticket(
            bands=page_bands(picture, _graphic),
            width=self.width,
            height=picture.height,
            feed_rows=feed_rows,
            preamble=setup.encode("ascii"),
            ending=b"PRINT\r\n",
            # A picture that was cut off takes the zeros for white dots. The page, or at a printer at rest the session
            # that begins here, then ends unburnt.
            recovery=bytes(picture.stride * BAND_ROWS) + b"\r\n! UTILITIES\r\nABORT\r\n",
            resumable=False,
        )


def _graphic(first: int, rows: int, dots: bytes) -> bytes:
    return f"CG {len(dots) // rows} {rows} 0 {first} ".encode("ascii") + dots + b"\r\n"


def decode_status(heard: bytes) -> PrinterStatus | None:
    """Read the answer to `<ESC>h`, one byte; the latest, when there are more.

    It is given when the page before is done.
    """
    if not heard:
        return None
    byte = heard[-1]
    if byte & ~_KNOWN:
        raise UndecodableMessageError(f"{byte:#04x} is no answer to <ESC>h", heard)
    return PrinterStatus(frozenset(condition for bit, condition in _BITS if byte & bit))
