"""Two kitchens that never were: drawn, filmed by a camera with a clock, and tampered with at a known second."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

WIDTH, HEIGHT, FPS = 640, 360, 10
COVERED_FROM_S, COVERED_UNTIL_S = 12.0, 40.0
FROZEN_FROM_S, FROZEN_UNTIL_S = 28.0, 64.0
LENGTH_S: Final = 75
COVERED_CLIP, FROZEN_CLIP = "kitchen-1.mp4", "kitchen-2.mp4"
_FIRST_SECOND = datetime(2026, 11, 24, 8, tzinfo=UTC)
_NOISE_FIELDS = 7


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours (blue, green, red) and the plan of one kitchen."""

    wall: tuple[int, int, int]
    counter: tuple[int, int, int]
    cook: tuple[int, int, int]
    stove_left: int
    seed: int


KITCHENS: Final = (
    Palette(wall=(196, 205, 208), counter=(120, 128, 132), cook=(236, 238, 240), stove_left=390, seed=1),
    Palette(wall=(182, 200, 190), counter=(96, 110, 140), cook=(225, 225, 215), stove_left=150, seed=2),
)


def write_clips(folder: Path) -> tuple[Path, Path]:
    """Film both kitchens into `folder`, unless they are there; return the covered and the frozen clip.

    In the first a cloth hangs over the lens from COVERED_FROM_S to COVERED_UNTIL_S, in the second the picture stands
    still from FROZEN_FROM_S to FROZEN_UNTIL_S and is bit-identical there when decoded.
    """
    covered, frozen = folder / COVERED_CLIP, folder / FROZEN_CLIP
    for path, pictures in ((covered, covered_kitchen), (frozen, frozen_kitchen)):
        if not path.exists():
            unfinished = path.with_suffix(".part")
            encode(unfinished, pictures())
            unfinished.replace(path)
    return covered, frozen


def covered_kitchen() -> Iterator[Picture]:
    """Yield a kitchen whose camera gets a cloth over its lens and is freed again."""
    cloth = _cloth()
    for seconds, picture in _film(KITCHENS[0]):
        if COVERED_FROM_S <= seconds < COVERED_UNTIL_S:
            edge = int(WIDTH * min(0.97, 1.4 * (seconds - COVERED_FROM_S) + 0.05))
            sway = round(6 * np.sin(2.1 * seconds))
            picture[:, :edge] = np.roll(cloth, sway, axis=1)[:, :edge]
            picture[:, :edge] += np.uint8(2 + 2 * np.sin(9 * seconds))  # what light comes through flickers
        yield picture


def frozen_kitchen() -> Iterator[Picture]:
    """Yield a kitchen whose camera repeats one picture for a while, clock and all."""
    last: Picture | None = None
    for seconds, picture in _film(KITCHENS[1]):
        if last is None or not FROZEN_FROM_S <= seconds < FROZEN_UNTIL_S:
            last = picture
        yield last


def encode(path: Path, pictures: Iterator[Picture]) -> None:
    """Write pictures as H.264 in an MP4 with FPS pictures a second and a single key frame.

    A second key frame, or a quantiser that rate control moves, would change a standing picture a little when decoded.
    """
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(FPS))
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.gop_size = LENGTH_S * FPS + 1
        stream.codec_context.max_b_frames = 0
        stream.options = {"preset": "ultrafast", "qp": "26", "sc_threshold": "0"}
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode(None))


def _film(palette: Palette) -> Iterator[tuple[float, Picture]]:
    """Yield second and picture of a kitchen in which somebody works, as a camera with some noise sees it."""
    chance = np.random.default_rng(palette.seed)
    room = _room(palette)
    noise = [chance.normal(0, 2.0, room.shape).astype(np.int8) for _ in range(_NOISE_FIELDS)]
    for number in range(LENGTH_S * FPS):
        seconds = number / FPS
        picture = room.copy()
        _cook(picture, palette, seconds)
        _flames(picture, palette, number)
        picture = np.asarray(cv2.add(picture, noise[number % _NOISE_FIELDS], dtype=cv2.CV_8U), np.uint8)
        _clock(picture, seconds)
        yield seconds, picture


def _room(palette: Palette) -> Picture:
    room = np.full((HEIGHT, WIDTH, 3), palette.wall, np.uint8)
    for y in range(0, 200, 20):  # tiles
        cv2.line(room, (0, y), (WIDTH, y), (168, 174, 176), 1)
    for x in range(0, WIDTH, 32):
        cv2.line(room, (x, 0), (x, 200), (168, 174, 176), 1)
    cv2.rectangle(room, (30, 60), (150, 130), (235, 225, 205), -1)  # window
    cv2.rectangle(room, (30, 60), (150, 130), (90, 90, 95), 3)
    cv2.line(room, (90, 60), (90, 130), (90, 90, 95), 2)
    for shelf in (80, 130):
        cv2.rectangle(room, (250, shelf), (600, shelf + 6), (70, 90, 120), -1)
        for x in range(262, 590, 34):
            tall = 14 + (x * 7 + shelf + palette.seed * 5) % 22
            shade = (60 + x % 120, 80 + (x * 3) % 110, 90 + (x * 5) % 120)
            cv2.rectangle(room, (x, shelf - tall), (x + 20, shelf), shade, -1)
    cv2.rectangle(room, (0, 200), (WIDTH, 222), palette.counter, -1)  # counter
    cv2.rectangle(room, (0, 222), (WIDTH, 300), tuple(c * 2 // 3 for c in palette.counter), -1)
    for x in range(0, WIDTH, 80):
        cv2.rectangle(room, (x + 6, 230), (x + 74, 292), tuple(c // 2 for c in palette.counter), 2)
        cv2.circle(room, (x + 64, 260), 4, (210, 210, 210), -1)
    left = palette.stove_left
    cv2.rectangle(room, (left, 190), (left + 150, 300), (58, 58, 62), -1)  # stove with two pots
    for pot in (left + 40, left + 110):
        cv2.ellipse(room, (pot, 188), (30, 8), 0, 0, 360, (150, 150, 158), -1)
        cv2.rectangle(room, (pot - 30, 160), (pot + 30, 188), (140, 140, 150), -1)
        cv2.ellipse(room, (pot, 160), (30, 8), 0, 0, 360, (90, 90, 98), -1)
    for x in range(-HEIGHT, WIDTH, 36):  # floor
        cv2.line(room, (x, HEIGHT), (x + 60, 300), (120, 124, 128), 1)
    return np.asarray(room, np.uint8)


def _cook(picture: Picture, palette: Palette, seconds: float) -> None:
    middle = int(WIDTH * (0.5 + 0.3 * np.sin(0.35 * seconds) + 0.05 * np.sin(1.7 * seconds)))
    reach = int(14 * np.sin(4 * seconds))
    cv2.ellipse(picture, (middle, 250), (30, 80), 0, 0, 360, palette.cook, -1)
    cv2.rectangle(picture, (middle - 24, 230), (middle + 24, 320), (150, 90, 60), -1)  # apron
    cv2.line(picture, (middle + 20, 200), (middle + 52, 215 + reach), palette.cook, 12)
    cv2.circle(picture, (middle, 152), 17, (150, 175, 215), -1)
    cv2.ellipse(picture, (middle, 134), (20, 14), 0, 0, 360, (245, 245, 245), -1)  # hat


def _flames(picture: Picture, palette: Palette, number: int) -> None:
    for place in (palette.stove_left + 40, palette.stove_left + 110):
        for tongue in range(-20, 21, 10):
            height = 6 + (number * 7 + tongue * 3 + place) % 7
            cv2.line(picture, (place + tongue, 204), (place + tongue, 204 - height), (230, 140, 60), 3)


def _clock(picture: Picture, seconds: float) -> None:
    text = (_FIRST_SECOND + timedelta(seconds=int(seconds))).strftime("%Y-%m-%d %H:%M:%S")
    for colour, width in (((0, 0, 0), 4), ((255, 255, 255), 1)):
        cv2.putText(picture, text, (12, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.6, colour, width, cv2.LINE_AA)


def _cloth() -> Picture:
    chance = np.random.default_rng(11)
    folds = cv2.GaussianBlur(chance.normal(0, 255, (HEIGHT, WIDTH)).astype(np.float32), (0, 0), 28)
    weave = chance.normal(0, 3, (HEIGHT, WIDTH)).astype(np.float32)
    shade = folds * 4 + weave
    return np.clip(np.array([58, 66, 104], np.float32) + shade[..., None], 0, 240).astype(np.uint8)
