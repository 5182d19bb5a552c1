"""How far a ticket has come, as far as anybody can know from here."""

from collections.abc import Iterator

from drivers.printer.contract import Band, Bitmap, Ticket


class Progress:
    """One ticket on its way to paper.

    What was acknowledged is in the printer, and of that all is burnt but what its buffer holds: those bands are on
    paper, also if the printer was switched off. What comes after them may be on paper as well; when a ticket is resumed
    those rows are on it twice, and never missing.
    """

    def __init__(self, picture: Bitmap, ticket: Ticket, *, buffer_bytes: int, resume: bool) -> None:
        self.ticket = ticket
        self._picture = picture
        self._buffer_bytes = buffer_bytes
        self._resume = resume and ticket.resumable
        self._first = 0
        self._ends: list[int] = []
        self.breaks = 0

    @property
    def rows_sent(self) -> int:
        """Rows that have been sent, of all in the picture."""
        index = self._first + len(self._ends)
        return self.ticket.bands[index].first_row if index < len(self.ticket.bands) else self.ticket.height

    def left(self) -> Iterator[Band]:
        """Begin a pass: yield the bands that are not surely on paper."""
        self._ends.clear()
        yield from self.ticket.bands[self._first :]

    def sent(self, so_far: int) -> None:
        """Note that one more band is sent, `so_far` bytes over this connection."""
        self._ends.append(so_far)

    def broke_off(self, acknowledged: int) -> None:
        """Go back, for the next pass, to the first band that is not surely on paper, or to the very first.

        A resumed ticket goes on at the beginning of a block, a line of text say, so that each is whole once.
        """
        self.breaks += 1
        burnt = sum(end <= acknowledged - self._buffer_bytes for end in self._ends)
        self._first = self._beginning(self._first + burnt) if self._resume else 0
        self._ends.clear()

    def burnt(self) -> None:
        """Hear from the printer itself that all that was sent is on paper."""
        self._first += len(self._ends)
        self._ends.clear()

    def _beginning(self, index: int) -> int:
        """Return the band from which the block of this band begins, with the white before it: a code needs that."""
        bands = self.ticket.bands
        if index == len(bands):
            return index
        while index and not self._is_white(bands[index].first_row - 1, 1):
            index -= 1
        if index and self._is_white(bands[index - 1].first_row, bands[index - 1].rows):
            index -= 1
        return index

    def _is_white(self, first_row: int, rows: int) -> bool:
        return not any(self._picture.band(first_row, rows))
