"""The two languages in which positions come: NMEA 0183, and the JSON of gpsd."""

from collections.abc import Iterator
from typing import Protocol

from drivers.gps.framing import Framer
from drivers.gps.sentences import MalformedSentenceError, decode
from drivers.gps.statements import Statement


class Language(Protocol):
    """Turns pieces of a stream, of any size, into sentences and what they claim."""

    def feed(self, piece: bytes) -> Iterator[tuple[bytes, Statement | None]]:
        """Yield the sentences that this piece completes, each with its claim if it makes one that we know."""
        ...

    def finish(self) -> None:
        """Account for what the end of the stream cut off."""
        ...

    def counts(self) -> dict[str, int]:
        """Return how many sentences came, and how many were refused and why, since the stream began."""
        ...


class Nmea:
    """NMEA 0183, among whatever else the line carries."""

    def __init__(self) -> None:
        self._framer = Framer()
        self._sentences = 0
        self._malformed = 0

    def feed(self, piece: bytes) -> Iterator[tuple[bytes, Statement | None]]:
        for sentence in self._framer.feed(piece):
            self._sentences += 1
            try:
                statement = decode(sentence)
            except MalformedSentenceError:
                self._malformed += 1
                statement = None
            yield sentence, statement

    def finish(self) -> None:
        self._framer.finish()

    def counts(self) -> dict[str, int]:
        return {
            "sentences": self._sentences,
            "bad_checksum": self._framer.bad_checksum,
            "unchecked": self._framer.unchecked,
            "malformed": self._malformed,
        }
