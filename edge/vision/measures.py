"""What the detectors know of one picture: a few numbers for each of 16 x 9 blocks, cheap and steady under noise.

Everything is measured on the picture reduced to 160 x 90: sensor noise and the blocks of a low-rate stream average out,
while a lens that loses focus by 5 pixels of 640 still loses nearly all of the band that `detail` measures.
"""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
Grid = NDArray[np.float32]
Mask = NDArray[np.bool_]

COLUMNS, ROWS = 16, 9
FINE = (160, 90)
COARSE = (80, 45)
MIN_NORM = 9.0
"""Product of two standard deviations (grey levels squared) below which a block has no structure to compare."""
_BRIGHTEST = COARSE[0] * COARSE[1] // 50


class Pattern(NamedTuple):
    """A picture with the mean and the standard deviation of each of its blocks."""

    image: Image
    mean: Grid
    spread: Grid


@dataclass(frozen=True, slots=True)
class Measures:
    """One picture in numbers; grey levels run from 0 to 255, grids have the shape (ROWS, COLUMNS).

    `fine` and `coarse` are the luminance at two sizes; `detail` is the root mean square of what `fine` has and `coarse`
    has not. `brightness` and `contrast` are mean and standard deviation of the whole picture, `highlight` is the level
    that 2 % of it exceed, `saturation` the mean distance of its colours from grey.
    """

    fine: Pattern
    coarse: Pattern
    detail: Grid
    brightness: float
    contrast: float
    highlight: float
    saturation: float


def measure(grey: NDArray[np.uint8] | Image, saturation: float) -> Measures:
    """Measure a luminance picture of any size; `saturation` is handed through (see `saturation_of`)."""
    fine = _reduced(grey, FINE).astype(np.float32)
    coarse = _reduced(fine, COARSE)
    band = fine - np.asarray(cv2.resize(coarse, FINE, interpolation=cv2.INTER_LINEAR), np.float32)
    return Measures(
        fine=pattern(fine),
        coarse=pattern(coarse),
        detail=np.sqrt(block_means(band * band)),
        brightness=float(coarse.mean()),
        contrast=float(coarse.std()),
        highlight=float(np.partition(coarse, -_BRIGHTEST, axis=None)[-_BRIGHTEST]),
        saturation=saturation,
    )


def saturation_of(bgr: NDArray[np.uint8]) -> float:
    """Return the mean difference between the strongest and the weakest channel, in levels; infrared pictures have 0."""
    small = cv2.resize(bgr, COARSE, interpolation=cv2.INTER_NEAREST)
    return float(np.mean(small.max(axis=2).astype(np.int16) - small.min(axis=2)))


def edges(image: Image) -> Image:
    """Return the strength of the gradient at each pixel, capped: one glaring edge must not outweigh all others."""
    across, down = cv2.Sobel(image, cv2.CV_32F, 1, 0), cv2.Sobel(image, cv2.CV_32F, 0, 1)
    return np.minimum(np.asarray(cv2.magnitude(across, down), np.float32), np.float32(200))


def block_means(image: Image) -> Grid:
    """Return the mean of each block."""
    return _reduced(image, (COLUMNS, ROWS))


def pattern(image: Image) -> Pattern:
    """Return a picture with the statistics of its blocks."""
    mean = block_means(image)
    return Pattern(image, mean, np.sqrt(np.maximum(block_means(image * image) - mean * mean, 0)))


def likeness(a: Pattern, b: Pattern) -> Grid:
    """Compare two pictures of one size: 1 same structure, 0 none in common, -1 inverted, for each block.

    This is the zero-mean normalised cross-correlation: neither a brighter lamp nor a shorter exposure changes it. A
    block without structure in either picture compares as 0.
    """
    covariance = block_means(a.image * b.image) - a.mean * b.mean
    alike: Grid = covariance / np.maximum(a.spread * b.spread, MIN_NORM)
    return alike


def _reduced(image: NDArray[np.uint8] | Image, size: tuple[int, int]) -> Image:
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value] # its stubs widen the type
