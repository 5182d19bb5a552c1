"""Which reference a picture is judged by, and what the references may learn from it."""

import numpy as np

from edge.vision.measures import Mask, Measures, edges, likeness, pattern
from edge.vision.reference import LIKE, Draft, Look, Reference, Shelf
from edge.vision.view import View
from protocol import logs

log = logs.get(__name__)

NIGHT_BELOW, DAY_ABOVE = 5.0, 8.0
"""Saturation in grey levels; between the two the look stays what it was."""
LOOK_HOLD_S = 2.0
EDGES_AGREE = 0.5
"""Share of blocks whose edges must agree before a new look of a known scene is learned: more than a cover leaves."""
CALM = 0.25
CALM_S, CHANGED_S = 120.0, 1800.0
"""Time constants: a quiet view is followed in minutes; a rearranged one is accepted within the hour."""
SAVE_EVERY_S = 300.0


class Learner:
    """Keeps the references of one camera. A picture that may be tampered with teaches nothing."""

    def __init__(self, shelf: Shelf, learn_s: float) -> None:
        self._shelf, self._learn_s = shelf, learn_s
        self._look: Look | None = None
        self._other_since: float | None = None
        self._draft = Draft()
        self.blind = False
        """Whether a first look took its full time and showed nothing that could become a reference."""
        self._learned_at: float | None = None
        self._saved_at: float | None = None

    def view(self, picture: Measures, usable: Mask, seconds: float) -> View:
        """Return the picture beside the reference of its look."""
        self._follow_look(picture, seconds)
        return View(picture, self._shelf.get(self._look) if self._look else None, usable)

    def learn(self, view: View, seconds: float) -> None:
        """Learn from an untampered view, at most once a second once there is a reference."""
        if self._look is None:
            return
        if view.reference is None:
            self._first_look(view.measures, self._look, seconds)
        elif self._learned_at is None or seconds - self._learned_at >= 1:
            step = 1.0 if self._learned_at is None else min(seconds - self._learned_at, 10.0)
            view.reference.blend(view.measures, step / (CALM_S if view.lost < CALM else CHANGED_S))
            self._learned_at = seconds
            if self._saved_at is None or seconds - self._saved_at >= SAVE_EVERY_S:
                self.save(seconds)

    def save(self, seconds: float | None = None) -> None:
        """Put the references down; a full disk costs the references, not the watch."""
        self._saved_at = seconds
        if self._shelf.any is None:
            return
        try:
            self._shelf.save()
        except OSError as error:
            log.warning("reference_not_saved", reason=str(error))

    def _first_look(self, picture: Measures, look: Look, seconds: float) -> None:
        if not self._draft.continues(picture):
            self._draft = Draft()
        if self._draft.add(picture, seconds) < self._learn_s:
            return
        reference, self._draft = self._draft.finished(), Draft()
        self.blind = not reference.shows_something
        if self.blind:
            return
        self._shelf.put(look, reference)
        self._learned_at = seconds
        self.save(seconds)
        log.info("reference_learned", look=str(look))

    def _follow_look(self, picture: Measures, seconds: float) -> None:
        seen = self._seen_look(picture)
        if self._look is None:
            self._look = seen if self._shelf.get(seen) or not self._shelf.any else self._shelf.any
            return
        if seen is self._look:
            self._other_since = None
            return
        self._other_since = seconds if self._other_since is None else self._other_since
        if seconds - self._other_since < LOOK_HOLD_S:
            return
        known = self._shelf.get(self._look)
        # A grey cloth looks like night. It is one only if the scene's edges are still there, or were met before.
        if self._shelf.get(seen) or known is None or _edges_agree(picture, known):
            self._look, self._other_since, self._draft = seen, None, Draft()

    def _seen_look(self, picture: Measures) -> Look:
        if picture.saturation < NIGHT_BELOW:
            return Look.NIGHT
        if picture.saturation > DAY_ABOVE or self._look is None:
            return Look.DAY
        return self._look


def _edges_agree(picture: Measures, reference: Reference) -> bool:
    now, then = pattern(edges(picture.fine.image)), pattern(edges(reference.measures.fine.image))
    alike = likeness(now, then)[reference.structured]
    return bool(alike.size) and float(np.mean(alike > LIKE)) >= EDGES_AGREE
