"""Sentences to epochs: what a receiver says of one instant, in however many sentences."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

from drivers.gps.statements import Statement

# The largest real epoch met has 57 sentences. A device that never says the time must not fill the memory.
_MAX_SENTENCES: Final = 512
_ONCE: Final = frozenset({"RMC", "GGA", "GNS", "GLL"})


@dataclass(slots=True)
class Epoch:
    """The sentences of one instant as they came, and what they claim."""

    since_midnight: timedelta | None = None
    sentences: list[bytes] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)

    @property
    def day(self) -> date | None:
        """The UTC date, where a sentence told it."""
        return next((statement.day for statement in self.statements if statement.day), None)

    @property
    def raw(self) -> bytes:
        """The sentences as they came, one a line."""
        return b"".join(sentence + b"\r\n" for sentence in self.sentences)


class Grouper:
    """Gathers sentences until another time of day shows that the epoch is over, or the caller says so."""

    def __init__(self) -> None:
        self._open = Epoch()

    @property
    def waits(self) -> bool:
        """Whether sentences wait for the rest of their epoch."""
        return bool(self._open.sentences)

    def add(self, sentence: bytes, statement: Statement | None) -> Epoch | None:
        """Take a sentence, and what it claims if we know; return the epoch that it ends."""
        another = statement is not None and self._of_another(statement)
        ended = self.close() if another or len(self._open.sentences) >= _MAX_SENTENCES else None
        self._open.sentences.append(sentence)
        if statement:
            self._take(statement)
        return ended

    def close(self) -> Epoch | None:
        """End the open epoch, because the line fell silent or ended; return it unless it is empty."""
        ended, self._open = self._open, Epoch()
        return ended if ended.sentences else None

    def _of_another(self, statement: Statement) -> bool:
        at, now = statement.since_midnight, self._open.since_midnight
        if at is not None and now is not None:
            return at != now
        # A receiver that does not know the time yet sends RMC without one: the next RMC is the next epoch.
        return statement.kind in _ONCE and any(earlier.kind == statement.kind for earlier in self._open.statements)

    def _take(self, statement: Statement) -> None:
        if self._open.since_midnight is None:
            self._open.since_midnight = statement.since_midnight
        if statement.supersedes:
            kept = [earlier for earlier in self._open.statements if earlier.kind != statement.kind]
            self._open.statements = kept
        self._open.statements.append(statement)
