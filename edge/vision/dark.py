"""The picture is too dark to show anything: lamps out without infrared, a broken iris, or a black cap."""

from edge.vision.view import Verdict, View

MAX_BRIGHTNESS = 16.0
MAX_HIGHLIGHT = 40.0
"""One lit window keeps a night picture from being dark: even the brightest 2 % must be below this level."""


def judge(view: View) -> Verdict | None:
    """Say whether the picture is dark, whatever the reference."""
    seen = view.measures
    if seen.brightness > MAX_BRIGHTNESS or seen.highlight > MAX_HIGHLIGHT:
        return None
    return Verdict(1 - seen.brightness / (2 * MAX_BRIGHTNESS), {"brightness": seen.brightness})
