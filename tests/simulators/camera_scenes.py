"""Real scenes from the shared recordings, and what somebody does to their camera."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from drivers.camera.analysis import HEIGHT, WIDTH, Analysis, Finding, Frame

CAMERA = Path(__file__).parents[2].parent / "shared/data/camera"
CLIPS = {
    "person": CAMERA / "person/one-by-one-person-detection.mp4",
    "still": CAMERA / "still/bottle-detection.mp4",
    "scene": CAMERA / "scene/video.avi",
    "light": CAMERA / "light/issue53_brightness_change.avi",
}
RATE = 5
START = datetime(2026, 11, 24, 8, tzinfo=UTC)

Picture = NDArray[np.uint8]
Attack = Callable[[Picture, int], Picture]
"""Makes of a picture and its number what a tampered camera would show."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A finding and the second at which it was made."""

    seconds: float
    finding: Finding

    @property
    def says(self) -> tuple[str, str]:
        return self.finding.type, str(self.finding.state)


@cache
def recording(name: str) -> tuple[Picture, ...]:
    """Return the clip at RATE pictures a second, as they are analysed."""
    pictures: list[Picture] = []
    with av.open(str(CLIPS[name])) as container:
        for frame in container.decode(video=0):
            if frame.time is not None and frame.time >= len(pictures) / RATE - 1e-3:
                small = frame.reformat(WIDTH, HEIGHT, format="bgr24", interpolation="AREA")
                pictures.append(np.asarray(small.to_ndarray(), np.uint8))
    return tuple(pictures)


def played(name: str, seconds: float) -> Iterator[Picture]:
    """Yield a clip for so long, forwards and backwards as often as it takes."""
    clip = recording(name)
    return islice(cycle([*clip, *clip[-2:0:-1]]), int(seconds * RATE))


def attacked(pictures: Iterator[Picture], attack: Attack, since: float, until: float) -> Iterator[Picture]:
    """Yield the pictures, tampered with for a while."""
    for number, picture in enumerate(pictures):
        yield attack(picture, number) if since <= number / RATE < until else picture


def watch(analysis: Analysis, pictures: Iterator[Picture], start_s: float = 0.0) -> list[Seen]:
    """Show the pictures to an analysis and return all that it says."""
    seen: list[Seen] = []
    for number, picture in enumerate(pictures):
        seconds = start_s + number / RATE
        frame = Frame(at=START + timedelta(seconds=seconds), seconds=seconds, bgr=picture)
        seen += [Seen(seconds, finding) for finding in analysis.inspect(frame)]
    return seen


def noisy(picture: Any, sigma: float, number: int) -> Picture:
    """The picture with the noise of a sensor, from a few fields in turn."""
    return np.asarray(cv2.add(picture, _noise(sigma)[number % 5], dtype=cv2.CV_8U), np.uint8)


@cache
def _noise(sigma: float) -> NDArray[np.int8]:
    return np.random.default_rng(7).normal(0, sigma, (5, HEIGHT, WIDTH, 3)).astype(np.int8)


def covered(share: float) -> Attack:
    """A cloth over this share of the picture, in the noise of its sensor."""
    chance = np.random.default_rng(3)
    folds = cv2.GaussianBlur(chance.normal(0, 255, (HEIGHT, WIDTH)).astype(np.float32), (0, 0), 25)
    cloth = np.clip(np.array([66, 72, 96], np.float32) + (4 * folds)[..., None], 0, 255).astype(np.uint8)
    edge = int(WIDTH * share)

    def cover(picture: Picture, number: int) -> Picture:
        return np.hstack([noisy(cloth, 3, number)[:, :edge], picture[:, edge:]])

    return cover


def blurred(sigma: float) -> Attack:
    """A lens out of focus by so many pixels of 640."""
    return lambda picture, _: np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.uint8)


def moved(share: float, turn_deg: float = 0.0) -> Attack:
    """A camera turned by this share of its picture, and about its axis."""
    turn: Any = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), turn_deg, 1)
    turn[:, 2] += (share * WIDTH, 0.03 * HEIGHT)
    return lambda picture, _: np.asarray(
        cv2.warpAffine(picture, turn, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT), np.uint8
    )


def lit(gain: float) -> Attack:
    """Other light, or another exposure, with the noise of the sensor."""
    return lambda picture, number: noisy(cv2.convertScaleAbs(picture, alpha=gain), 1, number)


def infrared(picture: Picture, number: int) -> Picture:
    """The same view without colours, lit by the camera's own lamp: bright in the middle, dark at the edges."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    night = cv2.multiply(grey, _lamp(), dtype=cv2.CV_8U)
    return np.repeat(noisy(cv2.merge([night] * 3), 4, number)[..., :1], 3, axis=2)


@cache
def _lamp() -> NDArray[np.float32]:
    across, down = np.meshgrid(np.linspace(-1, 1, WIDTH), np.linspace(-1, 1, HEIGHT))
    return np.asarray(0.9 - 0.3 * (across**2 + down**2), np.float32)


def frozen() -> Attack:
    """The first picture again and again."""
    kept: list[Picture] = []

    def freeze(picture: Picture, _: int) -> Picture:
        kept.append(picture)
        return kept[0]

    return freeze
