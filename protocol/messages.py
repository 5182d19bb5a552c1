"""The messages of wire contract version 1, as types.

Times are UTC-aware, positions WGS-84 degrees, units are in the names. Every field added later has a default, so that
old and new versions can talk; anything else is version 2.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from protocol.topics import LEVEL_PATTERN

MAX_MESSAGE_BYTES = 512 * 1024
MAX_RECORDS = 10_000

_END = r"(?!\n)$"
"""The end itself: in Python `$` alone also fits before a last line feed."""

Level = Annotated[
    str, Meta(pattern=LEVEL_PATTERN.removesuffix("$") + _END, description="A topic level: [a-z0-9_-]{1,64}")
]
Device = Annotated[
    str, Meta(min_length=1, max_length=64, extra_json_schema={"pattern": LEVEL_PATTERN}, description="A topic level")
]
"""A level as well. The pattern is checked by the codec once per name of a batch: checking it in each record costs a
hub more than all the rest of reading that record."""

Name = Annotated[str, Meta(min_length=1, max_length=128)]
Text = Annotated[str, Meta(max_length=4096)]
Timestamp = Annotated[datetime, Meta(tz=True, description="RFC 3339, UTC, microseconds")]
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}" + _END, description="SHA-256 in lower-case hexadecimal")]
Count = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Value = float | bool | Text


class DeviceState(StrEnum):
    """How a device does, as its supervisor sees it."""

    OK = "ok"
    DEGRADED = "degraded"
    LOST = "lost"
    STOPPED = "stopped"


class Severity(StrEnum):
    """How much an event matters; compare by `SEVERITIES.index`."""

    INFO = "info"
    MINOR = "minor"
    MAJOR = "major"
    CRITICAL = "critical"


SEVERITIES = tuple(Severity)


class EventState(StrEnum):
    """Where an event stands. An `instant` one has no duration."""

    BEGAN = "began"
    ONGOING = "ongoing"
    ENDED = "ended"
    INSTANT = "instant"


class Outcome(StrEnum):
    """What became of a command."""

    DONE = "done"
    FAILED = "failed"
    EXPIRED = "expired"
    UNSUPPORTED = "unsupported"


class Span(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"since": "from", "until": "to"}):
    """A stretch of footage that shows an event. On the wire `from` and `to`."""

    since: Timestamp
    until: Timestamp


# A record refers to nothing that could refer back, and a hub under load holds a hundred thousand: the garbage collector
# need not look at them.
class _Record(
    Struct, frozen=True, kw_only=True, tag_field="kind", forbid_unknown_fields=True, omit_defaults=True, gc=False
):
    device: Device
    at: Timestamp


class Reading(_Record, frozen=True, kw_only=True, tag="reading"):
    """Values that a device measured at one instant. A value keeps its type for ever per (device, name)."""

    values: Annotated[dict[Name, Value], Meta(min_length=1, max_length=256)]


class Position(_Record, frozen=True, kw_only=True, tag="position"):
    """Where a device is: WGS-84 degrees, metres, metres per second, degrees from true north.

    `quality` is the GGA fix quality (NMEA 0183): 1 GPS, 2 differential, 3 PPS, 4 RTK, 5 float RTK, 9 maker's own.
    `sigma_m` is the receiver's own estimate of the horizontal error (one standard deviation), where it gives one.
    `hdop` is a gate, never an error bar. `flags` name what the driver corrected or doubts ("date_rollover").
    """

    latitude: Annotated[float, Meta(ge=-90, le=90)]
    longitude: Annotated[float, Meta(ge=-180, le=180)]
    altitude_m: Annotated[float, Meta(ge=-20_000, le=100_000)] | None = None
    speed_mps: Annotated[float, Meta(ge=0, le=1_000)] | None = None
    course_deg: Annotated[float, Meta(ge=0, le=360)] | None = None
    hdop: Annotated[float, Meta(ge=0, le=1_000)] | None = None
    satellites: Annotated[int, Meta(ge=0, le=1_000)] | None = None
    quality: Annotated[int, Meta(ge=0, le=99)] | None = None
    sigma_m: Annotated[float, Meta(ge=0, le=1_000_000)] | None = None
    cn0_mean_db: Annotated[float, Meta(ge=0, le=100)] | None = None
    cn0_spread_db: Annotated[float, Meta(ge=0, le=100)] | None = None
    flags: Annotated[tuple[Name, ...], Meta(max_length=16)] = ()


class Event(_Record, frozen=True, kw_only=True, tag="event"):
    """Something happened. The messages of one happening (began, ongoing, ended) share one `id`."""

    type: Name
    severity: Severity
    id: UUID
    state: EventState
    score: Annotated[float, Meta(ge=0, le=1)] | None = None
    data: dict[str, Any] = msgspec.field(default_factory=dict)
    images: Annotated[tuple[Sha256, ...], Meta(max_length=32)] = ()
    clip: Span | None = None


class Receipt(_Record, frozen=True, kw_only=True, tag="receipt"):
    """What became of a job that a device did: a ticket printed, a clip docked, a code scanned."""

    job: Name
    result: Name
    detail: Text = ""


Record = Reading | Position | Event | Receipt


class Batch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Records of one gateway that are acknowledged together.

    `epoch` is the enrolment under which `seq` counts up by one per batch, from 1.
    """

    id: UUID
    gateway: Level
    epoch: UUID
    seq: Count
    sent_at: Timestamp
    records: Annotated[tuple[Record, ...], Meta(max_length=MAX_RECORDS)]


class DeviceStatus(Struct, frozen=True, kw_only=True):
    """One device's line in the state of its gateway. `since` is when this status began."""

    device: Level
    driver: Name
    status: DeviceState
    since: Timestamp
    detail: Text = ""


class OutboxStatus(Struct, frozen=True, kw_only=True):
    """How much waits on the box: records, time of the oldest (null when empty), free bytes of its disk.

    `dropped` counts the telemetry records that had to be dropped for room since the enrolment; `quarantined` the
    batches that the hub refused.
    """

    records: Count
    oldest_at: Timestamp | None = None
    bytes_free: Count = 0
    dropped: Count = 0
    quarantined: Count = 0


class State(Struct, frozen=True, kw_only=True):
    """A gateway's state, retained by the broker. The last will is the same message with `online` false."""

    gateway: Level
    epoch: UUID
    online: bool
    at: Timestamp
    agent: Name
    config: Text = ""
    devices: tuple[DeviceStatus, ...] = ()
    outbox: OutboxStatus | None = None


class Refusal(Struct, frozen=True, kw_only=True):
    """A batch or image that the hub keeps among its dead letters: do not send it again."""

    id: Text
    reason: Text


class Ack(Struct, frozen=True, kw_only=True):
    """What the hub has committed. Only this forgets anything on a gateway.

    `batches` are batch ids, `images` SHA-256 digests, `hub_at` the hub's wall time: a box without a clock battery
    estimates its offset from it.
    """

    batches: tuple[UUID, ...] = ()
    images: tuple[Sha256, ...] = ()
    refused: tuple[Refusal, ...] = ()
    hub_at: Timestamp


class Command(Struct, frozen=True, kw_only=True):
    """An order to a gateway (`device` null) or one of its devices, executed at most once and before `expires_at`."""

    id: UUID
    device: Level | None = None
    name: Name
    args: dict[str, Any] = msgspec.field(default_factory=dict)
    expires_at: Timestamp


class Reply(Struct, frozen=True, kw_only=True):
    """What became of the command with this id."""

    id: UUID
    result: Outcome
    data: dict[str, Any] = msgspec.field(default_factory=dict)
    at: Timestamp
