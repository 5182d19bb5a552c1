"""CPCL (Zebra's CPCL programming manual): portable printers of Zebra, and of many makers after it."""

from collections.abc import Collection
from typing import Final

from drivers.printer.contract import Bitmap, Condition, PrinterStatus, Query, Ticket
from drivers.printer.dialects.pages import BAND_ROWS, PageLanguage
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


class Cpcl(PageLanguage):
    """A page on endless paper, burnt by PRINT."""

    name = "cpcl"

    def __init__(self, width: int, *, dots_per_mm: int, answers: Collection[str]) -> None:
        super().__init__(width, dots_per_mm=dots_per_mm, answers=answers, question=Query(STATUS, decode_status))

    def encode(self, picture: Bitmap) -> Ticket:
        # Offset, then the two densities, which no printer minds any more, then height and number of pages. JOURNAL
        # keeps the printer from searching the endless paper for marks.
        setup = f"! 0 200 200 {picture.height + self._feed_rows} 1\r\nPAGE-WIDTH {self.width}\r\nJOURNAL\r\n"
        return self._page(
            picture,
            _graphic,
            setup=setup,
            ending=b"PRINT\r\n",
            # A picture that was cut off takes the zeros for white dots. The page, or at a printer at rest the session
            # that begins here, then ends unburnt.
            recovery=bytes(picture.stride * BAND_ROWS) + b"\r\n! UTILITIES\r\nABORT\r\n",
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
