"""What a site says about a terminal."""

from typing import Annotated, Literal

from msgspec import Meta

from drivers.contract import Options

Seconds = Annotated[float, Meta(gt=0, le=86_400)]


class Jt808Options(Options, frozen=True, kw_only=True):
    """Options of the driver `terminal.jt808`: one terminal, known by the telephone number that it sends.

    The box listens on `host` and `port`; terminals with the same two share the port. A terminal must register, as the
    unit that registered first or as `terminal_id` says, and authenticate with the code that the box then gave it. That
    keeps out whoever merely knows its number; the protocol is not encrypted, so use a private network.

    `datum` is what its coordinates are in: WGS-84, which the standard's status bit 5 confirms, or GCJ-02, whether that
    bit says so or not. Without a word for `silent_after_s` it counts as lost; with words but without a fix for
    `no_fix_after_s` it is degraded. What is beside the position (mileage, fuel, unknown items) is reported at most
    every `values_every_s`, what was refused every `counters_every_s`.
    """

    phone: Annotated[str, Meta(pattern="^[0-9]{1,20}$")]
    host: Annotated[str, Meta(pattern="^[0-9A-Fa-f:.]{2,45}$")] = "0.0.0.0"  # noqa: S104 - terminals come from outside
    port: Annotated[int, Meta(ge=1, le=65_535)] = 7611
    terminal_id: Annotated[str, Meta(min_length=1, max_length=30)] | None = None
    datum: Literal["wgs84", "gcj02"] = "wgs84"
    silent_after_s: Seconds = 300.0
    no_fix_after_s: Seconds = 120.0
    values_every_s: Annotated[float, Meta(ge=0, le=86_400)] = 60.0
    counters_every_s: Seconds = 300.0

    def __post_init__(self) -> None:
        """Refuse a number that no terminal has."""
        if not self.phone.strip("0"):
            raise ValueError("`phone` is all zeros")
