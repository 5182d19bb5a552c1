"""The picture has stopped: the encoder, or somebody, repeats one frame.

A live picture is never bit-identical for long: measured on a static, noise-free scene at 200 kbit/s the longest run was
half a second. A recorder that encodes a frozen input anew is not found by this.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.vision.view import Verdict


class Stillness:
    """How long the picture has been bit-identical, its clock left out.

    `moves` says that the last picture differed from the one before; `verdict` is there while the camera is frozen. A
    picture that is still for less than `frozen_after_s` seconds is neither.
    """

    def __init__(self, frozen_after_s: float) -> None:
        self._frozen_after_s = frozen_after_s
        self._picture: NDArray[np.uint8] | None = None
        self._since = 0.0
        self.moves = False
        self.verdict: Verdict | None = None

    def look(self, grey: NDArray[np.uint8], pixels: NDArray[np.bool_], seconds: float) -> None:
        """Compare the next picture with the last one, where `pixels` is True."""
        last, self._picture = self._picture, grey
        self.moves = last is not None and bool(np.any(cv2.absdiff(last, grey) * pixels))
        if last is None or self.moves:
            self._since = seconds
        still = seconds - self._since
        self.verdict = Verdict(1.0, {"still_s": round(still, 1)}) if still >= self._frozen_after_s else None
