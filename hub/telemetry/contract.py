"""What a telemetry store is: readings and positions, committed by the batch and asked by device and time.

Two stores serve: DuckDB embedded, InfluxDB beside the hub. One contract suite holds both.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, Protocol
from uuid import UUID

import pyarrow as pa

from protocol.messages import Batch, Position

Scalar = float | bool | str


@dataclass(frozen=True, slots=True)
class Arrival:
    """One decoded batch as the hub took it, with the hub's receipt time.

    `extras` maps the index of a record in `batch.records` to the fields that this version of the contract does not
    know; they are kept beside the record.
    """

    batch: Batch
    received_at: datetime
    extras: Mapping[int, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Clash:
    """One value that was not stored because its series has another type for ever; the rest of its record was."""

    batch: UUID
    index: int
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Committed:
    """What a commit did: the batches that were already there, and the values that clashed.

    Clashes are found anew each time a batch is offered, also when it is a duplicate.
    """

    duplicates: frozenset[UUID] = frozenset()
    clashes: tuple[Clash, ...] = ()


class SeriesKey(NamedTuple):
    """One value of one device of one gateway."""

    gateway: str
    device: str
    name: str


class LastValue(NamedTuple):
    """The newest value of a series, by the device's time."""

    gateway: str
    device: str
    name: str
    at: datetime
    value: Scalar


class Sample(NamedTuple):
    """One stored value."""

    at: datetime
    value: Scalar


@dataclass(frozen=True, slots=True)
class Bucket:
    """A step of a downsampled numeric series; `at` is the start of the step, aligned to 1970-01-01 UTC."""

    at: datetime
    minimum: float
    mean: float
    maximum: float
    count: int


class StoredPosition(NamedTuple):
    """A position as stored, with its gateway and the hub's receipt time."""

    gateway: str
    position: Position
    received_at: datetime


class SeriesClass(NamedTuple):
    """A class of series kept for the same time: device and name are glob patterns (`*`, `?`); the first match rules."""

    device: str
    name: str
    keep: timedelta


@dataclass(frozen=True, slots=True)
class Retention:
    """How long telemetry is kept. `batches` is how long a batch id is remembered, the horizon of deduplication."""

    readings: tuple[SeriesClass, ...]
    positions: timedelta
    batches: timedelta


_EXPORTED: Final[dict[str, pa.DataType]] = {
    "gateway": pa.string(),
    "device": pa.string(),
    "name": pa.string(),
    "at": pa.timestamp("us", "UTC"),
    "number": pa.float64(),
    "text": pa.string(),
    "received_at": pa.timestamp("us", "UTC"),
}
EXPORTED: Final = pa.schema(_EXPORTED)
"""What an export yields: `number` is null for texts and 1 or 0 for flags, `text` is null for all others."""


class TelemetryStore(Protocol):
    """Readings and positions of all gateways. Every method raises StoreUnavailableError when the store is away.

    A store raises PermanentError when it refuses what it is given: then another part of it may still be taken.
    """

    async def commit(self, arrivals: Sequence[Arrival]) -> Committed:
        """Store the readings and positions of all batches or of none; on return they survive a power cut.

        A batch whose (gateway, epoch, id) is already there changes nothing. Events and receipts are not telemetry
        and are passed over.
        """
        ...

    async def last(self, gateway: str | None = None, device: str | None = None) -> list[LastValue]:
        """Return the newest value of each series."""
        ...

    async def samples(self, series: SeriesKey, since: datetime, until: datetime, limit: int) -> list[Sample]:
        """Return the oldest `limit` values with since <= at < until, in order of time."""
        ...

    async def buckets(
        self, series: SeriesKey, since: datetime, until: datetime, step: timedelta, limit: int
    ) -> list[Bucket]:
        """Return steps that hold values, in order of time; numeric series only, others give none."""
        ...

    async def positions(
        self, gateway: str | None, device: str, since: datetime, until: datetime, limit: int
    ) -> list[StoredPosition]:
        """Return the oldest `limit` positions with since <= at < until, in order of device time."""
        ...

    def export(
        self, gateway: str | None, device: str | None, since: datetime, until: datetime
    ) -> AsyncIterator[pa.RecordBatch]:
        """Yield readings with since <= at < until as Arrow batches of the schema EXPORTED, in order of time."""
        ...

    async def retain(self, retention: Retention, now: datetime) -> int:
        """Delete what is older than its class allows; return how many rows went."""
        ...

    async def ping(self) -> None:
        """Return when the store answers."""
        ...

    async def close(self) -> None:
        """Release files and connections; what was committed stays."""
        ...
