"""JPEG pictures that fit the wire."""

from collections.abc import Iterable
from math import ceil, floor
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from protocol.messages import MAX_MESSAGE_BYTES

QUALITIES = (85, 75, 60, 45)
SMALLEST = 16
_MEASURED_WIDTH: Final = 640


class Measures(NamedTuple):
    """How a picture is: `brightness` its mean luma from 0 to 1, `sharpness` the root mean square of its Laplacian.

    Measured 640 dots wide, in luma of 0 to 255. Kitchens in focus have a sharpness of 8 to 30; blurred by a Gaussian of
    two dots they keep 1 to 2.5.
    """

    brightness: float
    sharpness: float


def measures(bgr: NDArray[np.uint8]) -> Measures:
    """Measure a picture."""
    height, width = bgr.shape[:2]
    size = (_MEASURED_WIDTH, max(1, round(height * _MEASURED_WIDTH / width)))
    luma = cv2.cvtColor(cv2.resize(bgr, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY).astype(np.float32)
    edges = cv2.Laplacian(luma, cv2.CV_32F)
    return Measures(round(float(luma.mean()) / 255, 3), round(float(np.sqrt(np.square(edges).mean())), 2))


def blacken(bgr: NDArray[np.uint8], masks: Iterable[tuple[float, float, float, float]]) -> None:
    """Make rectangles black, in place: left, top, width and height as shares; a dot that is touched is covered."""
    height, width = bgr.shape[:2]
    for left, top, wide, high in masks:
        right, bottom = min(left + wide, 1.0), min(top + high, 1.0)
        bgr[floor(top * height) : ceil(bottom * height), floor(left * width) : ceil(right * width)] = 0


def jpeg(bgr: NDArray[np.uint8], limit: int = MAX_MESSAGE_BYTES) -> bytes:
    """Write a picture as JPEG of at most `limit` bytes: first its quality steps down, then its size by halves."""
    while True:
        for quality in QUALITIES:
            _, body = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
            if body.size <= limit:
                return body.tobytes()
        height, width = bgr.shape[:2]
        if min(height, width) < 2 * SMALLEST:
            raise ValueError(f"a picture of {width} x {height} does not fit into {limit} bytes")
        bgr = np.asarray(cv2.resize(bgr, (width // 2, height // 2), interpolation=cv2.INTER_AREA), np.uint8)
