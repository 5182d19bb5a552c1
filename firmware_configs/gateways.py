"""Boards that a gateway runs on: what they have, and the units and rules to install on them.

The files that `units` and `udev` name lie beside the profiles, in this package's folder `gateways`.
"""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from firmware_configs.schema import Family, Line, Profile

FileName = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9.@-]{0,63}$")]


class SerialLine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A serial line of the board: its stable path, as the udev rules name it, and what it is for."""

    path: Annotated[str, Meta(pattern="^/dev/[A-Za-z0-9/_-]{1,60}$")]
    does: Line


class GatewayBoard(Profile, frozen=True, kw_only=True):
    """A board.

    Without `clock_battery` the box wakes up in the past and learns the time from the hub. `watchdog` is the hardware
    watchdog that systemd feeds, `storage` what wears out.
    """

    architecture: Literal["x86_64", "aarch64", "armv7l"]
    memory_mb: Annotated[int, Meta(ge=128, le=1_048_576)]
    clock_battery: bool
    bluetooth: bool
    watchdog: Annotated[str, Meta(pattern="^/dev/[a-z0-9]{1,30}$")] | None = None
    storage: Literal["sd-card", "emmc", "ssd"]
    serial: Annotated[tuple[SerialLine, ...], Meta(max_length=16)] = ()
    units: Annotated[tuple[FileName, ...], Meta(min_length=1, max_length=8)]
    udev: Annotated[tuple[FileName, ...], Meta(max_length=8)] = ()
    notes: Annotated[tuple[Line, ...], Meta(max_length=16)] = ()


GATEWAYS: Final = Family("gateways", GatewayBoard)
