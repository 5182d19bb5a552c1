"""TSPL and TSPL2 (TSC's programming manual): label printers, and the many that speak as they do."""

from collections.abc import Collection
from typing import Final

from drivers.printer.contract import Bitmap, Condition, PrinterStatus, Query, Ticket
from drivers.printer.dialects.pages import BAND_ROWS, PageLanguage
from protocol.errors import UndecodableMessageError

STATUS: Final = b"\x1b!?"
_INVERTED: Final = bytes(0xFF - dots for dots in range(256))
_BITS: Final = (
    (0x01, Condition.COVER_OPEN),
    (0x02, Condition.PAPER_JAM),
    (0x04, Condition.PAPER_OUT),
    (0x08, Condition.RIBBON_OUT),
    (0x10, Condition.PAUSED),
    (0x20, Condition.BUSY),
    (0x80, Condition.FAULT),
)
_KNOWN: Final = 0xBF


class Tspl(PageLanguage):
    """A page on endless paper, burnt by PRINT. In its bitmap a set bit is a white dot."""

    name = "tspl"

    def __init__(self, width: int, *, dots_per_mm: int, answers: Collection[str]) -> None:
        super().__init__(width, dots_per_mm=dots_per_mm, answers=answers, question=Query(STATUS, decode_status))

    def encode(self, picture: Bitmap) -> Ticket:
        setup = (
            f"SIZE {self._mm(self.width)} mm,{self._mm(picture.height + self._feed_rows)} mm\r\n"
            "GAP 0 mm,0 mm\r\nDIRECTION 0\r\nREFERENCE 0,0\r\nCLS\r\n"
        )
        return self._page(
            picture,
            _bitmap,
            setup=setup,
            ending=b"PRINT 1,1\r\n",
            # A bitmap that was cut off takes the line ends for dots, and the page is cleared unburnt.
            recovery=b"\r\n" * (picture.stride * BAND_ROWS // 2 + 1) + b"CLS\r\n",
        )

    def _mm(self, dots: int) -> str:
        return f"{dots / self._dots_per_mm:.3f}".rstrip("0").rstrip(".")


def _bitmap(first: int, rows: int, dots: bytes) -> bytes:
    return f"BITMAP 0,{first},{len(dots) // rows},{rows},0,".encode("ascii") + dots.translate(_INVERTED) + b"\r\n"


def decode_status(heard: bytes) -> PrinterStatus | None:
    """Read the answer to `<ESC>!?`, one byte; the latest, when there are more."""
    if not heard:
        return None
    byte = heard[-1]
    if byte & ~_KNOWN:
        raise UndecodableMessageError(f"{byte:#04x} is no answer to <ESC>!?", heard)
    return PrinterStatus(frozenset(condition for bit, condition in _BITS if byte & bit))
