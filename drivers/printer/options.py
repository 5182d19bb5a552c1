"""What a site may set for a printer."""

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from drivers.contract import Options
from firmware_configs.printers import PRINTERS
from protocol.errors import ConfigurationError

Seconds = Annotated[float, Meta(gt=0, le=86_400)]
BluetoothAddress = Annotated[str, Meta(pattern="^[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}$")]
PathName = Annotated[str, Meta(min_length=1, max_length=4096)]


class Ble(Options, frozen=True, kw_only=True, tag="ble", tag_field="kind"):
    """Bluetooth Low Energy: the printer of this address, or the first that advertises itself under this name.

    The address is better: a printer that a killed program has left connected is found by it, and not by its name.
    """

    address: BluetoothAddress | None = None
    name: Annotated[str, Meta(min_length=1, max_length=248)] | None = None
    adapter: Annotated[str, Meta(pattern="^hci[0-9]{1,2}$")] | None = None

    def __post_init__(self) -> None:
        """Refuse what names no printer, or two."""
        if (self.address is None) == (self.name is None):
            raise ValueError("give `address` or `name`, and not both")


class Tcp(Options, frozen=True, kw_only=True, tag="tcp", tag_field="kind"):
    """A printer in the network, on its raw port; 9100 where neither this nor its profile says another."""

    host: Annotated[str, Meta(min_length=1, max_length=253)]
    port: Annotated[int, Meta(ge=1, le=65_535)] | None = None


class Rfcomm(Options, frozen=True, kw_only=True, tag="rfcomm", tag_field="kind"):
    """Bluetooth Classic, serial port profile; the printer was paired before. The channel is the profile's, or 1.

    `path` in place of `address` is a terminal that the system has bound to the printer, such as `/dev/rfcomm0`.
    """

    address: BluetoothAddress | None = None
    channel: Annotated[int, Meta(ge=1, le=30)] | None = None
    path: PathName | None = None

    def __post_init__(self) -> None:
        """Refuse what names no printer, or two."""
        if (self.address is None) == (self.path is None):
            raise ValueError("give `address` or `path`, and not both")
        if self.path is not None and self.channel is not None:
            raise ValueError("`channel` is that of an `address`; a `path` is bound to one already")


class Usb(Options, frozen=True, kw_only=True, tag="usb", tag_field="kind"):
    """A printer on a cable, as the kernel's printer class shows it: `/dev/usb/lp0`, or a link to it made by udev."""

    path: PathName


class PrinterOptions(Options, frozen=True, kw_only=True):
    """Options of the driver `printer`.

    `profile` names the model, a file of `firmware_configs/printers`. A ticket that broke off, because the line did or
    because the printer wanted paper, is gone on with where it is not surely on paper (`resume`), or printed again from
    its first row (`reprint`); a page language always begins again. A printer that wants somebody's hand is waited for
    as long as `hand_within_s`, one out of reach in the middle of a ticket `back_within_s`; then the job has failed.

    Without a job it is looked at every `watch_every_s`. `fonts` is the folder of Noto Sans CJK, if not a usual one.
    """

    line: Ble | Tcp | Rfcomm | Usb
    profile: Annotated[str, Meta(min_length=1, max_length=64)]
    broken_off: Literal["resume", "reprint"] = "resume"
    hand_within_s: Seconds = 600.0
    back_within_s: Seconds = 120.0
    watch_every_s: Seconds = 60.0
    fonts: PathName | None = None

    def __post_init__(self) -> None:
        """Refuse a model that is not known, and a line that it does not have."""
        try:
            printer = PRINTERS.load(self.profile)
        except ConfigurationError as error:
            raise ValueError(str(error)) from error
        if isinstance(self.line, Ble) and not printer.bluetooth:
            raise ValueError(f"profile {self.profile!r} says no `bluetooth` services; this printer has another line")

    @property
    def font_folder(self) -> Path | None:
        """The folder of the fonts, if one was named."""
        return Path(self.fonts) if self.fonts else None
