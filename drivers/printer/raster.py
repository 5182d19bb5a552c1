"""Pictures of 1-bit dots while they are being made: a set dot is ink."""

import io
from collections import Counter
from collections.abc import Iterable
from typing import Final

from PIL import Image

from drivers.printer.contract import Bitmap
from drivers.printer.fonts import Face
from protocol.errors import DeviceRefusedError

_KEPT: Final = 60
"""Of 255: how much of a dot a stroke of a reduced signature must cover to stay, so that a thin pen does not vanish."""

Strip = Image.Image | int
"""Part of a column: a picture, or rows of white."""


def blank(width: int, height: int) -> Image.Image:
    """Return white paper."""
    return Image.new("1", (width, height))


def filled(width: int, height: int) -> Image.Image:
    """Return black paper."""
    return Image.new("1", (width, height), 1)


def write(canvas: Image.Image, face: Face, text: str, x: int, base: int, *, ink: int = 1) -> Counter[str]:
    """Write a line of text from `x` on the base line; return the characters that became boxes."""
    boxed: Counter[str] = Counter()
    for character in text:
        glyph = face.glyph(character)
        if glyph.ink is not None:
            canvas.paste(ink, (x + glyph.left, base + glyph.top), glyph.ink)
        if glyph.boxed:
            boxed[character] += 1
        x += glyph.advance
    return boxed


def height_of(strips: Iterable[Strip]) -> int:
    """Return the rows of a column."""
    return sum(strip if isinstance(strip, int) else strip.height for strip in strips)


def stacked(width: int, strips: Iterable[Strip]) -> Image.Image:
    """Return the parts of a column one below the other, from the left edge; what is wider is cut off."""
    strips = list(strips)
    canvas, y = blank(width, height_of(strips)), 0
    for strip in strips:
        if isinstance(strip, int):
            y += strip
        else:
            canvas.paste(strip, (0, y))
            y += strip.height
    return canvas


def beside(width: int, columns: Iterable[tuple[int, Image.Image]]) -> Image.Image:
    """Return pictures side by side, each from its own dot on, their tops in line."""
    columns = list(columns)
    canvas = blank(width, max((picture.height for _, picture in columns), default=0))
    for x, picture in columns:
        canvas.paste(picture, (x, 0))
    return canvas


def drawn_signature(png: bytes, width: int, height: int) -> Image.Image:
    """Return a signature cropped to its strokes and as large as fits into `width` x `height`, never enlarged.

    Raises DeviceRefusedError for bytes that are no whole PNG.
    """
    try:
        with Image.open(io.BytesIO(png), formats=("PNG",)) as image:
            image.load()
            grey = image.convert("L").point([255 - level for level in range(256)])
    except (OSError, SyntaxError, ValueError) as error:
        raise DeviceRefusedError(f"the picture of a signature cannot be read: {error}") from error
    strokes = grey.getbbox()
    if strokes is None:
        return blank(1, 1)
    grey = grey.crop(strokes)
    scale = min(1.0, width / grey.width, height / grey.height)
    size = max(1, int(grey.width * scale)), max(1, int(grey.height * scale))
    reduced = grey.resize(size, Image.Resampling.BOX)
    return reduced.point([255 if level >= _KEPT else 0 for level in range(256)], mode="1")


def bitmap_of(canvas: Image.Image) -> Bitmap:
    """Return the finished picture; its width must be a multiple of 8."""
    return Bitmap(canvas.width, canvas.height, canvas.tobytes())
