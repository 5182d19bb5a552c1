"""JPEG pictures that fit the wire."""

import cv2
import numpy as np
from numpy.typing import NDArray

from protocol.messages import MAX_MESSAGE_BYTES

QUALITIES = (85, 75, 60, 45)
SMALLEST = 16


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
