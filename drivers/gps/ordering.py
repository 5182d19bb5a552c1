"""Time runs forward: fixes that come twice or from the past are kept out, a clock that was set back is not."""

from datetime import datetime
from enum import Enum
from typing import Final

TIME_RESET: Final = "time_reset"
_STEPS_BEFORE_RESET: Final = 3


class Step(Enum):
    """How a fix stands to those before it."""

    FORWARD = "forward"
    DUPLICATE = "duplicates"
    BACKWARDS = "backwards"
    RESET = "reset"


class Ordering:
    """Compares each fix with the last accepted one.

    One or two fixes from the past are refused. The third in a row that runs forward among themselves is accepted as
    RESET, and counts from there on: a receiver that first had a wrong date is not locked out for ever.
    """

    def __init__(self) -> None:
        self._last: datetime | None = None
        self._past: datetime | None = None
        self._steps = 0

    def judge(self, at: datetime) -> Step:
        """Say how this fix stands; FORWARD and RESET mean that it is accepted."""
        if self._last is None or at > self._last:
            self._accept(at)
            return Step.FORWARD
        if at == self._last:
            return Step.DUPLICATE
        if at == self._past:
            return Step.DUPLICATE
        self._steps = self._steps + 1 if self._past is not None and at > self._past else 1
        self._past = at
        if self._steps < _STEPS_BEFORE_RESET:
            return Step.BACKWARDS
        self._accept(at)
        return Step.RESET

    def _accept(self, at: datetime) -> None:
        self._last, self._past, self._steps = at, None, 0
