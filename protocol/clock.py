"""Time and identity, from one place: wall time for people, monotonic time for durations, fresh ids."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import UUID

from uuid_utils.compat import uuid7


class Clock(Protocol):
    """What the programs know of time. Nothing else may ask the operating system."""

    def now(self) -> datetime:
        """Return the wall time, UTC-aware."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back; only differences mean anything."""
        ...

    def new_id(self) -> UUID:
        """Return a fresh id that sorts by time (UUID version 7, RFC 9562 section 5.7)."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def new_id(self) -> UUID:
        return uuid7()


class ManualClock:
    """A clock for tests and replays: it moves only when told to, and counts its ids."""

    def __init__(self, start: datetime = datetime(2026, 11, 24, 8, tzinfo=UTC)) -> None:
        self._now = start
        self._monotonic = 0.0
        self._ids = 0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def new_id(self) -> UUID:
        self._ids += 1
        milliseconds = int(self._now.timestamp() * 1000)
        return UUID(int=(milliseconds << 80) | (7 << 76) | (2 << 62) | self._ids)

    def advance(self, seconds: float) -> None:
        """Let time pass, on both clocks."""
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds

    def step(self, seconds: float) -> None:
        """Jump the wall clock only, as an operator or a time server does."""
        self._now += timedelta(seconds=seconds)
