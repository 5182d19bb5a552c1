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

FROZEN = "camera.frozen"
BY_VIEW: dict[str, tuple[Severity, Callable[[View], Verdict | None]]] = {
    "camera.dark": (Severity.MINOR, dark.judge),
    "camera.blurred": (Severity.MINOR, blurred.judge),
    "camera.moved": (Severity.MAJOR, moved.judge),
    "camera.covered": (Severity.MAJOR, covered.judge),
}
"""What is judged by a single view, in this order: the first yes explains the picture, the later ones are not asked."""


class Health:
    """An open health analysis. Pure but for the references in its shelf."""

    def __init__(self, options: HealthOptions, shelf: Shelf, open_types: frozenset[str]) -> None:
        self._clock = ClockMask(options.clock)
        self._learner = Learner(shelf, options.learn_s)
        self._stillness = Stillness(options.frozen_after_s)
        self._frozen = Hold(FROZEN, Severity.MAJOR, begin_s=0, end_s=options.hold_s, is_open=FROZEN in open_types)
        self._holds = {
            kind: Hold(kind, severity, begin_s=options.hold_s, end_s=options.hold_s, is_open=kind in open_types)
            for kind, (severity, _) in BY_VIEW.items()
        }

    def inspect(self, frame: Frame) -> Iterator[Finding]:
        seen = measure(frame.grey, saturation_of(frame.bgr))
        self._clock.look(seen.fine.image, frame.seconds)
        self._stillness.look(frame.grey, self._clock.pixels, frame.seconds)
        view = self._learner.view(seen, self._clock.usable, frame.seconds)
        explanation = self._explain(view)
        yield from self._hold_frozen(frame.seconds)
        yield from self._hold_view(view, explanation, frame.seconds)
        if self._trustworthy(view, explanation):
            self._learner.learn(view, frame.seconds)

    def close(self) -> None:
        self._learner.save()

    def _explain(self, view: View) -> tuple[str, Verdict] | None:
        for kind, (_, judge) in BY_VIEW.items():
            if verdict := judge(view):
                return kind, verdict
        if view.reference is None and self._learner.blind:
            return "camera.covered", Verdict(1.0, {"structured": 0.0})
        return None

    def _hold_frozen(self, seconds: float) -> Iterator[Finding]:
        if finding := self._frozen.see(seconds, self._stillness.verdict, unknown=not self._stillness.moves):
            yield finding

    def _hold_view(self, view: View, explanation: tuple[str, Verdict] | None, seconds: float) -> Iterator[Finding]:
        for kind, hold in self._holds.items():
            verdict = explanation[1] if explanation and explanation[0] == kind else None
            # What was not asked, or could not be compared, is not known to be gone. Darkness always is.
            hidden = kind != "camera.dark" and (explanation is not None or view.reference is None)
            if finding := hold.see(seconds, verdict, unknown=hidden):
                yield finding

    def _trustworthy(self, view: View, explanation: tuple[str, Verdict] | None) -> bool:
        """Whether a view may teach: nothing is wrong with it, nor was a moment ago."""
        if self._stillness.verdict:
            return False
        if view.reference is None:
            return explanation is None or explanation[0] != "camera.dark"
        return explanation is None and all(hold.at_rest for hold in self._holds.values())


def open_health(options: HealthOptions, folder: Path, open_types: frozenset[str]) -> Health:
    """Open the analysis with the references of this camera's folder."""
    cv2.setNumThreads(1)  # a box runs one process per camera: threads would only get in each other's way
    return Health(options, Shelf.read(folder / "reference.npz"), open_types)
