"""Printers: their language, their width, where they listen by Bluetooth, and how fast they take bytes."""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from firmware_configs.schema import Family, Line, Profile

Uuid = Annotated[str, Meta(pattern="^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]

Answer = Literal["status", "completion", "announcements"]
"""What a printer can be asked.

status         how it is, at once
completion     whether everything that it was sent is on paper
announcements  to tell changes by itself
"""


class Gatt(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A printer's own GATT service: the characteristic that is written, and the one that notifies, if any."""

    service: Uuid
    write: Uuid
    notify: Uuid | None = None


class Pace(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How fast a printer may be sent to.

    Its acknowledgement of a write is no room in its buffer: it prints at `bytes_per_second` and throws away what does
    not fit. `lead_bytes` may be ahead of that; every `fence_every`th write waits for its acknowledgement.
    """

    bytes_per_second: Annotated[int, Meta(ge=500, le=1_000_000)] = 10_000
    lead_bytes: Annotated[int, Meta(ge=64, le=1_048_576)] = 3_000
    fence_every: Annotated[int, Meta(ge=1, le=1_000)] = 16


class Printer(Profile, frozen=True, kw_only=True):
    """A model, or a family whose members do the same.

    `width` are the dots of the head that reach the paper, `dpi` its density. `names` are beginnings of the names under
    which it advertises itself. `buffer_bytes` is what it keeps before it throws bytes away. `answers` is empty for a
    printer that only listens.
    """

    dialect: Literal["escpos", "tspl", "cpcl", "zpl"]
    paper_mm: Annotated[int, Meta(ge=50, le=112)]
    width: Annotated[int, Meta(ge=384, le=1_280, multiple_of=8)]
    dpi: Annotated[int, Meta(ge=200, le=305)] = 203
    cutter: bool = False
    names: Annotated[tuple[Line, ...], Meta(max_length=32)] = ()
    bluetooth: Annotated[tuple[Gatt, ...], Meta(max_length=8)] = ()
    rfcomm_channel: Annotated[int, Meta(ge=1, le=30)] | None = None
    tcp_port: Annotated[int, Meta(ge=1, le=65_535)] | None = None
    pace: Pace = Pace()
    buffer_bytes: Annotated[int, Meta(ge=512, le=16_777_216)] = 8_192
    answers: Annotated[tuple[Answer, ...], Meta(max_length=3)] = ()
    notes: Annotated[tuple[Line, ...], Meta(max_length=16)] = ()

    def __post_init__(self) -> None:
        """Refuse what contradicts itself."""
        if self.width > self.paper_mm * self.dots_per_mm:
            raise ValueError(f"a head of {self.width} dots is wider than {self.paper_mm} mm of paper")
        if not (self.bluetooth or self.rfcomm_channel or self.tcp_port):
            raise ValueError("a printer is reached by `bluetooth`, `rfcomm_channel` or `tcp_port`")
        if "announcements" in self.answers and self.dialect != "escpos":
            raise ValueError("only ESC/POS has announcements")

    @property
    def dots_per_mm(self) -> int:
        """Dots per millimetre, as makers round it: 8 at 203 dpi, 12 at 300 dpi."""
        return round(self.dpi / 25.4)


PRINTERS: Final = Family("printers", Printer)
