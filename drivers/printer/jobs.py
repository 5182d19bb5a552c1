"""A job on its way, and how it ends without paper."""

import asyncio
from dataclasses import dataclass, field
from enum import Enum, auto
from uuid import UUID

from drivers.printer import words
from drivers.printer.contract import Bitmap, Ticket
from drivers.printer.journal import Ending, Result
from protocol.clock import Clock


@dataclass(slots=True)
class Job:
    """A ticket to print. `ended` is what became of it; `cancelled` is set by whoever does not want it any more."""

    id: UUID
    picture: Bitmap
    ticket: Ticket
    copies: int
    ended: asyncio.Future[Ending]
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)


class JobOverError(Exception):
    """The job ends here, without the printer's word; `ending` says how. Never leaves the press."""

    def __init__(self, result: Result, detail: str) -> None:
        super().__init__(detail)
        self.ending = Ending(result, detail)


class Word(Enum):
    """What a printer says of all that it was sent: it is on paper; rows may be lost; nothing, though it seems well."""

    BURNT = auto()
    DOUBTFUL = auto()
    SILENT = auto()


class Patience:
    """How long something is waited for, from the first time that it is asked."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock, self._seconds = clock, seconds
        self._since: float | None = None

    def rest(self) -> None:
        """Begin anew."""
        self._since = None

    def is_over(self) -> bool:
        """Whether it has been too long."""
        now = self._clock.monotonic()
        if self._since is None:
            self._since = now
        return now - self._since >= self._seconds

    def check(self, matter: str) -> None:
        """End the job when it has been too long."""
        if self.is_over():
            raise JobOverError(Result.FAILED, words.waited_for(matter, self._seconds))
