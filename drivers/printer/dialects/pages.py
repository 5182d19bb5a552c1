"""How pictures are cut into bands; and what the page languages have in common, which burn when all is there."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from itertools import groupby
from typing import Final

from drivers.printer.contract import Band, Bitmap, Query, Ticket

BAND_ROWS: Final = 64
"""The most rows of a command: what a printer that was cut off waits for is no more."""
TEAR_OFF_MM: Final = 12
"""From the head to the tear bar of portable printers."""
LEAST_WHITE: Final = 8
"""Fewer white rows stay with their neighbours: a command more would cost as much, and stops the motor."""
LONGEST: Final = 32_000
"""Rows of a page: what ZPL's `^LL` can say, the least of the three."""


def checked(picture: Bitmap, width: int) -> None:
    """Raise ValueError for a picture that is not made for this printer."""
    if picture.width != width or not 0 < picture.height <= LONGEST:
        raise ValueError(f"{picture.width} x {picture.height} dots for a head of {width}")


def runs(picture: Bitmap) -> Iterator[tuple[int, int, bool]]:
    """Yield first row and number of rows of what has ink, and of what is white for long enough to be left out."""
    white = bytes(picture.stride)
    began, row = 0, 0
    for blank, group in groupby(range(picture.height), lambda row: picture.band(row, 1) == white):
        rows = sum(1 for _ in group)
        if blank and rows >= LEAST_WHITE:
            if row > began:
                yield began, row - began, False
            yield row, rows, True
            began = row + rows
        row += rows
    if row > began:
        yield began, row - began, False


def page_bands(picture: Bitmap, command: Callable[[int, int, bytes], bytes]) -> tuple[Band, ...]:
    """Return the bands of a page that is white where nothing is sent.

    `command` writes the dots of so many rows from that row on as a command of its own, short enough to be filled up
    when it broke off. White rows count to the band after them, the last to the band before.
    """
    bands: list[Band] = []
    covered = 0
    for first, rows, white in runs(picture):
        for at in () if white else range(first, first + rows, BAND_ROWS):
            step = min(BAND_ROWS, first + rows - at)
            bands.append(Band(command(at, step, picture.band(at, step)), covered, at + step - covered))
            covered = at + step
    if not bands:
        return (Band(command(0, 1, picture.band(0, 1)), 0, picture.height),)
    return (*bands[:-1], replace(bands[-1], rows=picture.height - bands[-1].first_row))


class PageLanguage:
    """A page on endless paper, burnt whole at its end. One question serves for status and for completion."""

    announcements = None

    def __init__(self, width: int, *, dots_per_mm: int, answers: Collection[str], question: Query) -> None:
        self.width = width
        self._dots_per_mm = dots_per_mm
        self._feed_rows = TEAR_OFF_MM * dots_per_mm
        self.status_query = question if "status" in answers else None
        self.completion_query = question if "completion" in answers else None

    def _page(
        self,
        picture: Bitmap,
        command: Callable[[int, int, bytes], bytes],
        *,
        setup: str,
        ending: bytes,
        recovery: bytes,
    ) -> Ticket:
        """Return the ticket of a picture; raise ValueError for one that is not made for this printer."""
        checked(picture, self.width)
        return Ticket(
            bands=page_bands(picture, command),
            width=self.width,
            height=picture.height,
            feed_rows=self._feed_rows,
            preamble=setup.encode("ascii"),
            ending=ending,
            recovery=recovery,
            resumable=False,
        )
