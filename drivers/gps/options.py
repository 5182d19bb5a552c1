"""What a site may set for a GPS unit."""

from typing import Annotated

from msgspec import Meta

from drivers.contract import Options
from firmware_configs.gps import GPS
from protocol.errors import ConfigurationError

Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Host = Annotated[str, Meta(min_length=1, max_length=253)]
Port = Annotated[int, Meta(ge=1, le=65_535)]
Path = Annotated[str, Meta(min_length=1, max_length=4096)]


class SerialPort(Options, frozen=True, kw_only=True, tag="serial", tag_field="kind"):
    """A receiver on a serial port or a USB or Bluetooth port that looks like one; 8N1.

    With the `profile` of its model, one of firmware_configs/gps, the commands that `setup` names are written to it each
    time that it is opened: its rate, its constellations, its sentences. Its speed stays as `baud` says.
    """

    port: Path
    baud: Annotated[int, Meta(ge=300, le=4_000_000)] = 9600
    profile: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    setup: Annotated[tuple[str, ...], Meta(max_length=16)] = ()

    def __post_init__(self) -> None:
        """Refuse commands that the receiver does not have, and a profile that nobody knows."""
        if self.setup and self.profile is None:
            raise ValueError("`setup` needs the `profile` of the receiver")
        if self.profile is not None:
            self.greeting()

    def greeting(self) -> bytes:
        """Return what is written to the receiver when it is opened."""
        if self.profile is None:
            return b""
        try:
            receiver = GPS.load(self.profile)
        except ConfigurationError as error:
            raise ValueError(str(error)) from error
        wanted = {name: receiver.command(name) for name in self.setup}
        if unknown := [name for name, command in wanted.items() if command is None or command.purpose == "baud"]:
            known = ", ".join(command.name for command in receiver.commands if command.purpose != "baud")
            raise ValueError(f"`setup`: {self.profile} has no {', '.join(unknown)}; known: {known}")
        return b"".join(command.payload for command in wanted.values() if command is not None)


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
