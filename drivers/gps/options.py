"""What a site may set for a GPS unit."""

from typing import Annotated

from msgspec import Meta

from drivers.contract import Options

Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Host = Annotated[str, Meta(min_length=1, max_length=253)]
Port = Annotated[int, Meta(ge=1, le=65_535)]
Path = Annotated[str, Meta(min_length=1, max_length=4096)]


class SerialPort(Options, frozen=True, kw_only=True, tag="serial", tag_field="kind"):
    """A receiver on a serial port or a USB or Bluetooth port that looks like one; 8N1."""

    port: Path
    baud: Annotated[int, Meta(ge=300, le=4_000_000)] = 9600


class Tcp(Options, frozen=True, kw_only=True, tag="tcp", tag_field="kind"):
    """A unit or serial server that sends NMEA 0183 to whoever connects."""

    host: Host
    port: Port


class Gpsd(Options, frozen=True, kw_only=True, tag="gpsd", tag_field="kind"):
    """A gpsd daemon; `receiver` chooses one of its devices by path, otherwise the first that speaks is listened to."""

    host: Host = "127.0.0.1"
    port: Port = 2947
    receiver: Path | None = None


class Recording(Options, frozen=True, kw_only=True, tag="file", tag_field="kind"):
    """A recorded NMEA 0183 stream, played at the pace of its own times of day, `speed` times as fast.

    With `as_now` all fixes are shifted so that the first is of the time at which it is played.
    """

    path: Path
    speed: Annotated[float, Meta(gt=0, le=1_000_000)] = 1.0
    as_now: bool = False


Source = SerialPort | Tcp | Gpsd | Recording


class GpsOptions(Options, frozen=True, kw_only=True):
    """Where the positions come from, and when to worry.

    Without any byte for `silent_after_s` the unit counts as lost and is opened anew (a recording may pause as it
    likes); with bytes but without a valid fix for `no_fix_after_s` it is degraded. What was refused is reported as a
    reading every `counters_every_s`.
    """

    source: Source
    silent_after_s: Seconds = 15.0
    no_fix_after_s: Seconds = 30.0
    counters_every_s: Seconds = 300.0
