"""The clock that a camera writes into its picture goes on when the picture stands still: find it and leave it out."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from drivers.camera.analysis import HEIGHT, WIDTH
from edge.vision.measures import COLUMNS, FINE, ROWS, Image, Mask
from edge.vision.options import Rectangle

COMPARE_AFTER_S = 1.0
CHANGE = 20.0
"""Grey levels by which a reduced pixel of a changing digit differs; sensor noise stays below 5."""
MEMORY = 0.1
"""Weight of the newest second in a block's rate of change: it looks back about ten seconds."""
CLOCK_RATE = 0.8
SEEN_S = 10
MAX_BLOCKS = 4
"""More restless blocks than the seconds of a clock need are a restless scene, and then none is a clock."""

_BLOCK_H, _BLOCK_W = HEIGHT // ROWS, WIDTH // COLUMNS


class ClockMask:
    """Which parts of the picture belong to its clock.

    `usable` marks the blocks without any part of a clock, `pixels` the pixels (HEIGHT, WIDTH) outside of it. Without
    given rectangles, blocks along the upper and the lower edge that change in nearly every second are taken for it;
    what was once found stays.
    """

    def __init__(self, given: Sequence[Rectangle] | None) -> None:
        self.pixels: NDArray[np.bool_] = np.ones((HEIGHT, WIDTH), np.bool_)
        self.usable: Mask = np.ones((ROWS, COLUMNS), np.bool_)
        self._seeks = given is None
        self._rate = np.zeros((ROWS, COLUMNS), np.float32)
        self._strips = np.zeros((ROWS, COLUMNS), np.bool_)
        self._strips[[0, -1]] = True
        self._last: tuple[float, Image] | None = None
        self._compared = 0
        for rectangle in given or ():
            self._leave_out(rectangle)

    def look(self, fine: Image, seconds: float) -> None:
        """Learn from the next reduced picture."""
        if not self._seeks:
            return
        if self._last is None:
            self._last = (seconds, fine)
            return
        since, before = self._last
        if seconds - since < COMPARE_AFTER_S:
            return
        self._last = (seconds, fine)
        self._compared += 1
        changed = _strongest_in_block(np.abs(fine - before)) > CHANGE
        self._rate += np.float32(MEMORY) * (changed - self._rate)
        if self._compared < SEEN_S:
            return
        # The first seconds weigh too little in a mean that starts from zero.
        restless = self._strips & (self._rate > CLOCK_RATE * (1 - (1 - MEMORY) ** self._compared))
        if 0 < np.count_nonzero(restless) <= MAX_BLOCKS:
            self.usable &= ~restless
            self.pixels = np.repeat(np.repeat(self.usable, _BLOCK_H, axis=0), _BLOCK_W, axis=1)

    def _leave_out(self, rectangle: Rectangle) -> None:
        top, left = int(rectangle.top * HEIGHT), int(rectangle.left * WIDTH)
        bottom = min(HEIGHT, int(np.ceil((rectangle.top + rectangle.height) * HEIGHT)))
        right = min(WIDTH, int(np.ceil((rectangle.left + rectangle.width) * WIDTH)))
        self.pixels[top:bottom, left:right] = False
        self.usable &= self.pixels.reshape(ROWS, _BLOCK_H, COLUMNS, _BLOCK_W).all(axis=(1, 3))


def _strongest_in_block(image: Image) -> NDArray[np.float32]:
    strongest: NDArray[np.float32] = image.reshape(ROWS, FINE[1] // ROWS, COLUMNS, FINE[0] // COLUMNS).max(axis=(1, 3))
    return strongest
