"""From what is seen in single pictures to events: a fault must hold to begin, and stay away to end."""

from drivers.camera.analysis import Finding
from edge.vision.view import Verdict
from protocol.messages import EventState, Severity

MAX_STEP_S = 1.0
"""A longer gap between two pictures proves nothing about the time between them."""


class Hold:
    """One kind of fault of one camera.

    Evidence rises from 0 to 1 in `begin_s` of pictures with the fault and falls to 0 in `end_s` without; the event
    begins at 1 and ends at 0, so that a flickering verdict neither begins nor ends anything.
    """

    def __init__(self, kind: str, severity: Severity, *, begin_s: float, end_s: float, is_open: bool) -> None:
        self._kind, self._severity = kind, severity
        self._begin_s, self._end_s = begin_s, end_s
        self._evidence = 1.0 if is_open else 0.0
        self._last: float | None = None
        self.is_open = is_open

    @property
    def at_rest(self) -> bool:
        """Whether nothing speaks for this fault."""
        return self._evidence == 0

    def see(self, seconds: float, verdict: Verdict | None, *, unknown: bool = False) -> Finding | None:
        """Take in one picture's verdict; return what began or ended by it.

        `unknown` says that the picture cannot tell, because another fault hides this one: the evidence stays as it is.
        """
        step = 0.0 if self._last is None else min(seconds - self._last, MAX_STEP_S)
        self._last = seconds
        if verdict is not None:
            self._evidence = min(1.0, self._evidence + step / self._begin_s) if self._begin_s else 1.0
        elif not unknown:
            self._evidence = max(0.0, self._evidence - step / self._end_s)
        if verdict is not None and self._evidence == 1 and not self.is_open:
            self.is_open = True
            return self._finding(EventState.BEGAN, verdict.score, verdict.data)
        if self.is_open and self.at_rest:
            self.is_open = False
            return self._finding(EventState.ENDED, 0.0, {})
        return None

    def _finding(self, state: EventState, score: float, data: dict[str, float]) -> Finding:
        rounded = {name: round(value, 3) for name, value in data.items()}
        return Finding(self._kind, state, self._severity, round(score, 3), rounded, picture=True)
