"""What the page languages have in common: a page is described, its picture follows as one command, then it is burnt."""

from collections.abc import Iterator
from typing import Final

from drivers.printer.contract import Band, Bitmap

BAND_ROWS: Final = 64
TEAR_OFF_MM: Final = 12
"""From the head to the tear bar of portable printers."""
LONGEST: Final = 32_000
"""Rows of a page: what ZPL's `^LL` can say, the least of the three."""


def checked(picture: Bitmap, width: int) -> None:
    """Raise ValueError for a picture that is not made for this printer."""
    if picture.width != width or not 0 < picture.height <= LONGEST:
        raise ValueError(f"{picture.width} x {picture.height} dots for a head of {width}")


def pieces(picture: Bitmap) -> Iterator[Band]:
    """Cut a picture into bands of its plain rows."""
    for first in range(0, picture.height, BAND_ROWS):
        rows = min(BAND_ROWS, picture.height - first)
        yield Band(picture.band(first, rows), first, rows)
