"""QR codes (ISO/IEC 18004) as dots that a phone reads from thermal paper."""

from typing import Final

import segno
from PIL import Image

from drivers.printer.raster import blank, filled
from protocol.errors import DeviceRefusedError

QUIET_MODULES: Final = 4
"""White modules around the code (ISO/IEC 18004, 9.1)."""
LARGEST_MM: Final = 0.75
SMALLEST_MM: Final = 0.375
"""Side of a module. Below this, heat that spreads between dots closes the gaps and cameras of phones give up."""


def qr_code(text: str, *, widest: int, dots_per_mm: int) -> Image.Image:
    """Return the code of a text in UTF-8, quiet zone included, with the largest modules that fit `widest` dots.

    Error correction is M (15 % may be smudged). Raises DeviceRefusedError when the text does not fit.
    """
    try:
        code = segno.make(text.encode(errors="replace"), error="m", micro=False, boost_error=False)
    except ValueError as error:
        raise DeviceRefusedError(f"a QR code cannot hold the text: {error}") from error
    modules = [list(row) for row in code.matrix]
    across = len(modules) + 2 * QUIET_MODULES
    side = min(widest // across, round(LARGEST_MM * dots_per_mm))
    if side < SMALLEST_MM * dots_per_mm:
        raise DeviceRefusedError(f"a QR code of {len(modules)} modules is too fine for {widest} dots of paper")
    canvas, module = blank(across * side, across * side), filled(side, side)
    for y, row in enumerate(modules, QUIET_MODULES):
        for x, dark in enumerate(row, QUIET_MODULES):
            if dark:
                canvas.paste(module, (x * side, y * side))
    return canvas
