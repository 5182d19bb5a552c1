"""What devices said, on disk until the hub says that it has committed it.

Bounded by bytes and by age. When it is full the oldest telemetry (readings and positions) goes first and is counted;
events, receipts and pictures are never dropped: when only they are left, whoever adds is turned away and holds its
source back. Age counts only while the agent runs, on a clock that no time server moves: a box that wakes up in 1970
must not take what it has for ancient.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Final, Self
from uuid import UUID

import apsw
import msgspec

from drivers.contract import Report
from edge import quarantine, shelf
from edge.shelf import Item, Ledger, Stretch
from edge.store import Store
from protocol import codec, logs
from protocol.clock import Clock
from protocol.errors import StoreUnavailableError, UndecodableMessageError
from protocol.messages import MAX_MESSAGE_BYTES, Ack, Event, OutboxStatus, Position, Reading, Record
from protocol.topics import LEVEL_PATTERN, is_level

FILE: Final = "outbox.db"
_MAX_RECORD_BYTES: Final = MAX_MESSAGE_BYTES - 512  # the envelope of a batch takes less
_EXPIRE_EVERY_MS: Final = 60_000
_HYSTERESIS: Final = 100  # when full, a hundredth of the room is made at once
_RELIEF_BYTES: Final = 256 * 1024
_SHOWN: Final = 120

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Record).decode

log = logs.get(__name__)


class Lane(Enum):
    """Which way a batch goes: what is fresh does not wait behind what is old."""

    LIVE = "live"
    BACKLOG = "backlog"


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes of the outbox and of one batch. A batch of one record may exceed `batch_bytes`."""

    max_bytes: int
    max_age_s: float
    batch_records: int
    batch_bytes: int


@dataclass(frozen=True, slots=True)
class SealedBatch:
    """A batch that stays the same for ever: its message, and the pictures that should go before it."""

    id: UUID
    seq: int
    payload: bytes
    images: tuple[str, ...]


class _Dated(msgspec.Struct):
    at: datetime


class Outbox:
    """The box's memory of what the hub does not have yet, in a store. Call `load` before anything else."""

    def __init__(self, store: Store, gateway: str, limits: Limits, clock: Clock) -> None:
        self.epoch = UUID(int=0)
        self.taken_bytes = 0
        """Bytes of everything that was handed in since the agent began, pictures included."""
        self._store = store
        self._gateway = gateway
        self._limits = limits
        self._clock = clock
        self._aged_until = clock.monotonic()
        self._next_expiry_ms = 0
        store.relief = self._relieve

    async def load(self) -> Self:
        """Read, or draw, the epoch of this enrolment."""
        ledger = await self._store.run(shelf.begin)
        self.epoch = UUID(ledger.epoch)
        return self

    async def append(self, reports: Iterable[Report]) -> None:
        """Keep all or none, with their pictures; on return they survive a power cut.

        The reports are read on the store's thread when the transaction begins, so that an iterator may gather until
        then. Raises StoreUnavailableError when there is no room even for them: hold the source back and try again.
        """
        coming = iter(reports)
        items: list[Item] = []

        def add(connection: apsw.Connection) -> None:
            items.extend(map(_item, coming))  # none come when a transaction is repeated
            self._add(connection, tuple(items))

        await self._store.run(add, grows=True)

    async def take(self, lane: Lane) -> SealedBatch:
        """Wait until the lane has records, seal the next batch of them and return it. It is on disk as such."""
        return await self._store.await_result(lambda connection: self._seal(connection, lane))

    async def outstanding(self) -> tuple[UUID, ...]:
        """Return the batches that were sealed and that the hub has not confirmed, oldest first."""
        sealed = await self._store.read(shelf.stretches)
        return tuple(stretch.id for stretch in sealed)

    async def sealed(self, number: UUID) -> SealedBatch | None:
        """Return a sealed batch, the same bytes each time; None when it is forgotten."""

        def read(connection: apsw.Connection) -> SealedBatch | None:
            stretch = shelf.stretch(connection, number)
            if stretch is None:
                return None
            epoch = shelf.begin(connection).epoch
            return self._bundle(connection, epoch, stretch, shelf.payloads(connection, stretch))

        return await self._store.read(read)

    async def images_left(self) -> tuple[str, ...]:
        """Return the pictures that wait although the batch that names them is confirmed."""
        return tuple(await self._store.read(shelf.images_left))

    async def image(self, digest: str) -> bytes | None:
        """Return a picture by its SHA-256, None when it is forgotten."""
        return await self._store.read(lambda connection: shelf.image(connection, digest))

    async def settle(self, ack: Ack) -> None:
        """Forget what the hub has committed, and put what it refuses into quarantine. Unknown names mean nothing."""
        await self._store.run(lambda connection: self._settle(connection, ack))

    async def status(self) -> OutboxStatus:
        """Return how much waits, since when, and what had to be dropped."""
        return await self._store.read(self._status)

    async def alarms(self, *, waiting: bool) -> None:
        """Return once events or receipts wait here, or once none does any more."""
        await self._store.await_result(lambda connection: shelf.holds_alarms(connection) is waiting or None)

    async def bytes_used(self) -> int:
        """Return the bytes of everything that waits."""
        ledger = await self._store.read(shelf.begin)
        return ledger.bytes

    # From here on everything runs on the store's thread, inside a transaction.

    def _add(self, connection: apsw.Connection, items: tuple[Item, ...]) -> None:
        ledger = shelf.begin(connection)
        self._age(connection, ledger)
        fitting = tuple(item for item in items if not item.flaw)
        if len(fitting) < len(items):
            for item in (item for item in items if item.flaw):
                log.error(
                    "record_quarantined", reason=item.flaw, beginning=item.payload[:_SHOWN].decode("utf-8", "replace")
                )
                quarantine.put_aside(connection, "", "record", item.flaw, item.payload)
        need = sum(item.cost for item in fitting)
        self.taken_bytes += need
        if ledger.bytes + need > self._limits.max_bytes:
            fitting = self._make_room(connection, ledger, fitting, need)
        shelf.add(connection, ledger, fitting)
        shelf.finish(connection, ledger)

    def _make_room(
        self, connection: apsw.Connection, ledger: Ledger, items: tuple[Item, ...], need: int
    ) -> tuple[Item, ...]:
        """Drop old telemetry for what comes; when all that is left is precious, drop the telemetry that comes."""
        over = ledger.bytes + need - self._limits.max_bytes
        shelf.drop_telemetry(connection, ledger, need=max(over, self._limits.max_bytes // _HYSTERESIS))
        if ledger.bytes + need <= self._limits.max_bytes:
            return items
        kept = tuple(item for item in items if not item.telemetry)
        ledger.dropped += len(items) - len(kept)
        if ledger.bytes + sum(item.cost for item in kept) > self._limits.max_bytes:
            raise StoreUnavailableError(f"the outbox is full: {ledger.bytes} bytes that must not be dropped")
        return kept

    def _age(self, connection: apsw.Connection, ledger: Ledger) -> None:
        now = self._clock.monotonic()
        ledger.age_ms += int((now - self._aged_until) * 1000)
        self._aged_until = now
        if ledger.age_ms >= self._next_expiry_ms:
            shelf.drop_telemetry(connection, ledger, before_age_ms=ledger.age_ms - int(self._limits.max_age_s * 1000))
            self._next_expiry_ms = ledger.age_ms + _EXPIRE_EVERY_MS

    def _relieve(self, connection: apsw.Connection) -> None:
        ledger = shelf.begin(connection)
        shelf.drop_telemetry(connection, ledger, need=_RELIEF_BYTES)
        shelf.finish(connection, ledger)

    def _seal(self, connection: apsw.Connection, lane: Lane) -> SealedBatch | None:
        ledger = shelf.begin(connection)
        before = replace(ledger)
        limits = self._limits.batch_records, self._limits.batch_bytes
        live = lane is Lane.LIVE
        found = shelf.cut_live(connection, ledger, *limits) if live else shelf.cut_backlog(connection, *limits)
        if found is None:
            if ledger != before:
                shelf.finish(connection, ledger)
            return None
        first, last, payloads = found
        ledger.seq += 1
        stretch = Stretch(ledger.seq, self._clock.new_id(), first, last, _timestamp(self._clock.now()))
        connection.execute(
            "INSERT INTO batch VALUES (?, ?, ?, ?, ?)", (stretch.seq, str(stretch.id), first, last, stretch.sent_at)
        )
        shelf.finish(connection, ledger)
        return self._bundle(connection, ledger.epoch, stretch, payloads)

    def _bundle(self, connection: apsw.Connection, epoch: str, stretch: Stretch, payloads: list[bytes]) -> SealedBatch:
        envelope = (
            f'{{"id":"{stretch.id}","gateway":"{self._gateway}","epoch":"{epoch}","seq":{stretch.seq},'
            f'"sent_at":"{stretch.sent_at}","records":['
        )
        payload = b"".join((envelope.encode(), b",".join(payloads), b"]}"))
        return SealedBatch(stretch.id, stretch.seq, payload, tuple(shelf.images_of(connection, stretch)))

    def _settle(self, connection: apsw.Connection, ack: Ack) -> None:
        ledger = shelf.begin(connection)
        for number in ack.batches:
            if stretch := shelf.stretch(connection, number):
                shelf.forget(connection, ledger, stretch)
        for digest in ack.images:
            shelf.forget_image(connection, ledger, digest)
        for refusal in ack.refused:
            self._put_aside(connection, ledger, refusal.id, refusal.reason)
        shelf.finish(connection, ledger)

    def _put_aside(self, connection: apsw.Connection, ledger: Ledger, number: str, reason: str) -> None:
        if (picture := shelf.image(connection, number)) is not None:
            quarantine.put_aside(connection, number, "image", reason, picture)
            shelf.forget_image(connection, ledger, number)
            return
        try:
            stretch = shelf.stretch(connection, UUID(number))
        except ValueError:
            return
        if stretch is not None:
            bundle = self._bundle(connection, ledger.epoch, stretch, shelf.payloads(connection, stretch))
            quarantine.put_aside(connection, number, "batch", reason, bundle.payload)
            shelf.forget(connection, ledger, stretch)

    def _status(self, connection: apsw.Connection) -> OutboxStatus:
        ledger = shelf.begin(connection)
        oldest = connection.execute("SELECT payload FROM record ORDER BY id LIMIT 1").fetchone()
        quarantined = connection.execute("SELECT max(place) FROM quarantine").fetchone()
        return OutboxStatus(
            records=ledger.records,
            oldest_at=None if oldest is None else msgspec.json.decode(oldest[0], type=_Dated).at,
            dropped=ledger.dropped,
            quarantined=(quarantined and quarantined[0]) or 0,
        )


def store_file(folder: Path) -> Path:
    """Return where the outbox of a data folder lies."""
    return folder / FILE


def _item(report: Report) -> Item:
    """Make a record ready, and find its flaw: a driver's mistake must stop neither the box nor what it said before."""
    telemetry = isinstance(report.record, Reading | Position)
    try:
        payload = _encode(report.record)
    except (TypeError, ValueError, RecursionError) as error:
        return Item(repr(report.record).encode("utf-8", "replace")[:_MAX_RECORD_BYTES], telemetry, (), str(error))
    if flaw := _flaw(payload):
        return Item(payload, telemetry, (), flaw)
    return Item(payload, telemetry, report.images)


def _flaw(payload: bytes) -> str:
    """Return why the hub would not take a record; empty when it would."""
    if len(payload) > _MAX_RECORD_BYTES:
        return f"a record of {len(payload)} bytes fits into no message"
    try:
        record = _decode(payload)
        if isinstance(record, Event):  # may hold values of any shape
            codec.decode_record(payload)
    except (msgspec.DecodeError, UndecodableMessageError, RecursionError) as error:
        return str(error)
    return "" if is_level(record.device) else f"a device's name matches {LEVEL_PATTERN}"


def _timestamp(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
