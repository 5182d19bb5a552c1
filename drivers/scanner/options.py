"""What a site may set for a scanner."""

from typing import Annotated

from msgspec import Meta

from drivers.contract import Options


class SerialPort(Options, frozen=True, kw_only=True, tag="serial", tag_field="kind"):
    """A scanner on a serial port, or on USB in its virtual COM mode (not as a keyboard); 8N1."""

    port: Annotated[str, Meta(min_length=1, max_length=4096)]
    baud: Annotated[int, Meta(ge=300, le=4_000_000)] = 9600


class Tcp(Options, frozen=True, kw_only=True, tag="tcp", tag_field="kind"):
    """A fixed scanner or serial server that sends scans to whoever connects."""

    host: Annotated[str, Meta(min_length=1, max_length=253)]
    port: Annotated[int, Meta(ge=1, le=65_535)]


class Hid(Options, frozen=True, kw_only=True, tag="hid", tag_field="kind"):
    """A scanner on USB or Bluetooth in its HID-POS mode: `/dev/hidraw0`, or a link to it made by udev."""

    path: Annotated[str, Meta(min_length=1, max_length=4096)]


class ScannerOptions(Options, frozen=True, kw_only=True):
    """Where scans come from, where one ends, and which ones are one.

    A scan ends with CR, LF or ETX (after STX), and after a pause of `pause_s` for scanners that send no end; one by HID
    says where it ends, and is given up after that pause in its middle. The same
    code seen again within `repeat_within_s` of the last time is the same scan; 0 tells each. What was not told is
    reported as a reading every `counters_every_s`.
    """

    source: SerialPort | Tcp | Hid
    pause_s: Annotated[float, Meta(ge=0.02, le=10)] = 0.3
    repeat_within_s: Annotated[float, Meta(ge=0, le=3_600)] = 0.0
    counters_every_s: Annotated[float, Meta(gt=0, le=86_400)] = 3_600.0
