"""The view is another part of the same scene: the camera was turned, or its mount gave way."""

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.vision.measures import FINE, Image, block_means, edges, likeness, pattern
from edge.vision.reference import LIKE, STRUCTURED
from edge.vision.view import Verdict, View

MIN_LOST = 0.58
MIN_SHIFT = 0.025
"""Shift in shares of the picture's width below which a lost structure has another cause."""
MIN_OVERLAP = 8
"""Structured blocks that must lie in both views for the shift to be believed."""
MIN_FOUND = 0.5
WORTH_TURNING = 0.15
TURN_EVERY = 8
"""A turn is sought in every so many pictures only: under a cloth the search is dear, and always in vain."""
WHOLE = 0.99
"""Share of a block from which it lies in the shifted view."""

Move = NDArray[np.float32]
"""An affine map, shape (2, 3), from the places of the reference to those of the picture, in pixels of `FINE`."""


class Finder:
    """Finds the reference again in a picture of another part of its scene, and remembers where."""

    def __init__(self) -> None:
        self._last: Move | None = None
        self._asked = 0

    def judge(self, view: View) -> Verdict | None:
        """Say whether the lost structure is found again when the reference is shifted.

        The shift comes from phase correlation (Kuglin and Hines 1975) of the gradients; where it explains only a part,
        a turn about the axis of the lens is sought around it by maximising the enhanced correlation coefficient
        (Evangelidis and Psarakis 2008). A move is believed only if most of the structure that it predicts is really
        there; one that was believed before is tried first, because the camera stays where it was turned to.
        """
        if view.reference is None or view.lost < MIN_LOST:
            self._last, self._asked = None, 0
            return None
        self._asked += 1
        then, now = view.reference.measures.fine.image, view.measures.fine.image
        for seek in (self._again, _shifted):
            move = seek(then, now)
            if move is None:
                continue
            found = _found(then, now, move)
            if WORTH_TURNING <= found < MIN_FOUND and self._asked % TURN_EVERY == 1:
                move = _turned(then, now, move)
                found = _found(then, now, move)
            if found >= MIN_FOUND:
                self._last = move
                return _verdict(move, found)
        return None

    def _again(self, then: Image, now: Image) -> Move | None:
        del then, now
        return self._last


def _verdict(move: Move, found: float) -> Verdict:
    # The matrix turns about the corner of the picture; people think of its centre.
    centre = np.array([FINE[0] / 2, FINE[1] / 2, 1], np.float32)
    right, down = (move @ centre - centre[:2]) / FINE[0]
    turn = np.degrees(np.arctan2(move[1, 0], move[0, 0]))
    return Verdict(found, {"right": float(right), "down": float(down), "turn_deg": float(turn), "found": found})


def _shifted(then: Image, now: Image) -> Move | None:
    (dx, dy), _ = cv2.phaseCorrelate(edges(then), edges(now), _window())
    if float(np.hypot(dx, dy)) / FINE[0] < MIN_SHIFT:
        return None
    return np.array([[1, 0, dx], [0, 1, dy]], np.float32)


def _turned(then: Image, now: Image, move: Move) -> Move:
    """Return the move with the turn that fits best, or the move as it was when none does."""
    # OpenCV seeks the map from the first picture's places to the second's, and warps by its inverse unless told.
    everywhere = np.ones(now.shape, np.uint8)
    inverse = cv2.invertAffineTransform(move).astype(np.float32)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 25, 1e-3)
    try:
        _, best = cv2.findTransformECC(now, then, inverse, cv2.MOTION_EUCLIDEAN, criteria, everywhere, 5)
    except cv2.error:  # it did not converge: the pictures have too little in common
        return move
    return np.asarray(cv2.invertAffineTransform(best), np.float32)


def _found(then: Image, now: Image, move: Move) -> float:
    """Return the share of the structured blocks of the moved reference that the picture shows; 0 when too few."""
    shifted = pattern(np.asarray(cv2.warpAffine(then, move, FINE), np.float32))
    inside = np.asarray(cv2.warpAffine(np.ones_like(then), move, FINE), np.float32)
    judged = (block_means(inside) > WHOLE) & (shifted.spread > STRUCTURED)
    if np.count_nonzero(judged) < MIN_OVERLAP:
        return 0.0
    return float(np.mean(likeness(pattern(now), shifted)[judged] > LIKE))


@cache
def _window() -> NDArray[np.float32]:
    return np.asarray(cv2.createHanningWindow(FINE, cv2.CV_32F), np.float32)
