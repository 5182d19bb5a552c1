"""What passes between the paper side of a printer (layout, dialects) and its link side (transport, pacing, status).

A dialect turns a picture into a ticket: bytes cut into bands of whole rows. It opens no connection, holds no state and
knows no time; whoever sends the ticket decides how fast, asks the printer between bands, and begins again at a band.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol


@dataclass(frozen=True, slots=True)
class Bitmap:
    """A picture of 1-bit dots: `height` rows of `width` dots, a set bit is a burnt dot.

    Each row is `width // 8` bytes, the leftmost dot is the highest bit of the first. Equality is equality of every dot.
    """

    width: int
    height: int
    rows: bytes

    def __post_init__(self) -> None:
        if self.width <= 0 or self.width % 8 or len(self.rows) != self.width // 8 * self.height:
            raise ValueError(f"{len(self.rows)} bytes are no picture of {self.width} x {self.height} dots")

    @property
    def stride(self) -> int:
        """Bytes of a row."""
        return self.width // 8

    def band(self, first_row: int, rows: int) -> bytes:
        """Return the bytes of `rows` rows from `first_row`."""
        return self.rows[first_row * self.stride : (first_row + rows) * self.stride]


@dataclass(frozen=True, slots=True)
class Band:
    """Bytes that bring `rows` whole rows of the picture, from `first_row` on, to the printer."""

    payload: bytes
    first_row: int
    rows: int


@dataclass(frozen=True, slots=True)
class Ticket:
    """A picture as one printer takes it: `preamble`, the bands in their order, `ending`.

    Every band is whole commands. With `resumable` the printer burns it as it comes, may be asked for its status before
    the next, and `preamble`, the bands from any one on and `ending` are a ticket as well. Without it the bands fill a
    page, which is burnt when the printer has `ending`: nothing else may be said before that, and one that broke off has
    burnt nothing and is sent again whole.

    `height` counts the rows of the picture, `feed_rows` the white ones that `ending` adds to bring it past the tear
    bar.

    `recovery` frees a printer that may still wait for the rest of a ticket that broke off, and only then is it to be
    sent: first on the next connection, before anything else. It ends the command in which the printer was left, and
    burns nothing but white, also at a printer at rest.
    """

    bands: tuple[Band, ...]
    width: int
    height: int
    feed_rows: int
    preamble: bytes
    ending: bytes
    recovery: bytes
    resumable: bool

    def from_band(self, index: int = 0) -> bytes:
        """Return all bytes to send when the bands before `index` are on paper."""
        if index and not self.resumable:
            raise ValueError("this ticket is burnt whole or not at all")
        return b"".join((self.preamble, *(band.payload for band in self.bands[index:]), self.ending))


class Condition(StrEnum):
    """What a printer can say about itself. The value is for logs and records."""

    PAPER_OUT = "paper_out"
    PAPER_NEAR_END = "paper_near_end"
    PAPER_JAM = "paper_jam"
    RIBBON_OUT = "ribbon_out"
    COVER_OPEN = "cover_open"
    OVERHEATED = "overheated"
    TOO_COLD = "too_cold"
    LOW_BATTERY = "low_battery"
    PAUSED = "paused"
    OFFLINE = "offline"
    FAULT = "fault"
    BUSY = "busy"


HARMLESS: Final = frozenset({Condition.PAPER_NEAR_END, Condition.LOW_BATTERY, Condition.BUSY})
"""Conditions under which a printer still prints."""


@dataclass(frozen=True, slots=True)
class PrinterStatus:
    """All that a printer said about itself in one answer; no condition means ready and at rest."""

    conditions: frozenset[Condition] = frozenset()

    @property
    def blocked(self) -> frozenset[Condition]:
        """Return why the printer does not print now; empty when it does."""
        return self.conditions - HARMLESS

    @property
    def busy(self) -> bool:
        """Whether it still has something to print."""
        return Condition.BUSY in self.conditions


@dataclass(frozen=True, slots=True)
class Query:
    """Bytes that make a printer speak, and how to read it.

    `decode` takes all bytes heard since `request` was sent. It returns None while the answer is not complete, and
    raises UndecodableMessageError for bytes that are no answer to it.
    """

    request: bytes
    decode: Callable[[bytes], PrinterStatus | None]


class Dialect(Protocol):
    """A printer's language, for one width of paper and one density.

    `status_query` is answered at once: before a ticket, between the bands of a resumable one, and after it.
    `completion_query` is the printer's word: ask it after `ending`, again while the answer is `busy`; one that is
    neither busy nor blocked means that all rows are burnt. Until a blocked printer is seen to it need not answer.
    `announcements` makes the printer tell changes by itself until it is switched off. What a printer cannot answer is
    None; without `completion_query` nobody may say "printed".
    """

    @property
    def name(self) -> str: ...

    @property
    def width(self) -> int: ...

    @property
    def status_query(self) -> Query | None: ...

    @property
    def completion_query(self) -> Query | None: ...

    @property
    def announcements(self) -> Query | None: ...

    def encode(self, picture: Bitmap) -> Ticket:
        """Return the ticket. ValueError for a picture that is not `width` dots wide, or higher than can be said."""
        ...
