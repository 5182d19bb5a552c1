"""How a site tunes the health detectors of one camera."""

from typing import Annotated

from msgspec import Meta, Struct

from drivers.contract import Options

Share = Annotated[float, Meta(ge=0, le=1)]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]


class Rectangle(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the picture, in shares of its width and height from the upper left corner."""

    left: Share
    top: Share
    width: Share
    height: Share


class HealthOptions(Options, frozen=True, kw_only=True):
    """Options of the analysis `health`.

    `hold_s` is how long a fault must be seen before it is an event, and how long it must be gone before the event
    ends; `frozen_after_s` how long the picture must be bit-identical. A fresh reference is learned from `learn_s`
    seconds of a steady view. `clock` names the rectangles of the clock that the camera writes into its picture; left
    out, it is found by itself in the strips along the upper and lower edge.
    """

    hold_s: Seconds = 4.0
    frozen_after_s: Seconds = 10.0
    learn_s: Seconds = 5.0
    clock: Annotated[tuple[Rectangle, ...], Meta(max_length=8)] | None = None
