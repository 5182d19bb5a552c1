"""The health of one camera, picture by picture: measure, compare, judge, hold, learn."""

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2

from drivers.camera.analysis import Finding, Frame
from edge.vision import blurred, covered, dark, moved
from edge.vision.clock_mask import ClockMask
from edge.vision.frozen import Stillness
from edge.vision.holding import Hold
from edge.vision.learning import Learner
from edge.vision.measures import measure, saturation_of
from edge.vision.options import HealthOptions
from edge.vision.reference import Shelf
from edge.vision.view import Verdict, View
from protocol.messages import Severity

DARK, BLURRED, MOVED, COVERED, FROZEN = (
    f"camera.{fault}" for fault in ("dark", "blurred", "moved", "covered", "frozen")
)
SEVERITY = {
    DARK: Severity.MINOR,
    BLURRED: Severity.MINOR,
    MOVED: Severity.MAJOR,
    COVERED: Severity.MAJOR,
    FROZEN: Severity.MAJOR,
}
VIEW_IS_LOST = frozenset({BLURRED, MOVED, COVERED})
"""Three names for one loss: the first that holds is the event, and the others wait until the view is back."""


class Health:
    """An open health analysis. Pure but for the references in its shelf."""

    def __init__(self, options: HealthOptions, shelf: Shelf, open_types: frozenset[str]) -> None:
        self._clock = ClockMask(options.clock)
        self._learner = Learner(shelf, options.learn_s)
        self._stillness = Stillness(options.frozen_after_s)
        self._judges: dict[str, Callable[[View], Verdict | None]] = {
            DARK: dark.judge,
            BLURRED: blurred.judge,
            MOVED: moved.Finder().judge,
            COVERED: covered.judge,
        }
        """In this order: the first yes explains a picture, the later ones are not asked."""
        self._holds = {
            kind: Hold(
                kind,
                severity,
                begin_s=0 if kind == FROZEN else options.hold_s,
                end_s=options.hold_s,
                is_open=kind in open_types,
            )
            for kind, severity in SEVERITY.items()
        }

    def inspect(self, frame: Frame) -> Iterator[Finding]:
        seen = measure(frame.grey, saturation_of(frame.bgr))
        self._clock.look(seen.fine.image, frame.seconds)
        self._stillness.look(frame.grey, self._clock.pixels, frame.seconds)
        view = self._learner.view(seen, self._clock.usable, frame.seconds)
        explanation = self._explain(view)
        for finding in (self._hold_frozen(frame.seconds), *self._hold_view(view, explanation, frame.seconds)):
            if finding:
                yield finding
        if self._trustworthy(view, explanation):
            self._learner.learn(view, frame.seconds)

    def close(self) -> None:
        self._learner.save()

    def _explain(self, view: View) -> tuple[str, Verdict] | None:
        for kind, judge in self._judges.items():
            if verdict := judge(view):
                return kind, verdict
        if view.reference is None and self._learner.blind:
            return COVERED, Verdict(1.0, {"structured": 0.0})
        return None

    def _hold_frozen(self, seconds: float) -> Finding | None:
        still = self._stillness
        return self._holds[FROZEN].see(seconds, still.verdict, unknown=not still.moves)

    def _hold_view(
        self, view: View, explanation: tuple[str, Verdict] | None, seconds: float
    ) -> Iterator[Finding | None]:
        named = next((kind for kind in VIEW_IS_LOST if self._holds[kind].is_open), None)
        for kind in self._judges:
            verdict = explanation[1] if explanation and explanation[0] == kind else None
            if kind in VIEW_IS_LOST and named not in {None, kind}:
                yield self._holds[kind].see(seconds, None)
            else:
                # What was not asked, or could not be compared, is not known to be gone. Darkness always is.
                hidden = kind != DARK and (explanation is not None or view.reference is None)
                yield self._holds[kind].see(seconds, verdict, unknown=hidden)

    def _trustworthy(self, view: View, explanation: tuple[str, Verdict] | None) -> bool:
        """Whether a view may teach: nothing is wrong with it, nor was a moment ago."""
        if self._stillness.verdict:
            return False
        if view.reference is None:
            return explanation is None or explanation[0] != DARK
        return explanation is None and all(hold.at_rest for hold in self._holds.values())


def open_health(options: HealthOptions, folder: Path, open_types: frozenset[str]) -> Health:
    """Open the analysis with the references of this camera's folder."""
    cv2.setNumThreads(1)  # a box runs one process per camera: threads would only get in each other's way
    return Health(options, Shelf.read(folder / "references"), open_types)
