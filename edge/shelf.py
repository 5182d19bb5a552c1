"""The tables of the outbox, and what may be done to them inside one transaction.

Records have ids that only grow. Those that no batch holds yet lie in two kinds of places: `live_from` and above (the
live lane), and in spans below it (the backlog). A batch takes a stretch of ids out of one of them, so that it stays
the same batch whatever happens: its number, its id, its records and the time it was made are on the disk before it
leaves the box. Batches are numbered in the order in which they are made, whichever lane they come from.

The live lane never looks far back: what it cannot keep up with becomes backlog, so that a reading of now does not wait
behind a day of outage.
"""

import hashlib
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final
from uuid import UUID, uuid4

import apsw

from edge import quarantine
from protocol import logs
from protocol.messages import MAX_MESSAGE_BYTES

SCHEMA: Final = f"""{quarantine.SCHEMA}
CREATE TABLE IF NOT EXISTS ledger (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    epoch TEXT NOT NULL, seq INTEGER NOT NULL, next_id INTEGER NOT NULL, live_from INTEGER NOT NULL,
    drop_from INTEGER NOT NULL, records INTEGER NOT NULL, bytes INTEGER NOT NULL, dropped INTEGER NOT NULL,
    age_ms INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS record (
    id INTEGER PRIMARY KEY, telemetry INTEGER NOT NULL, age_ms INTEGER NOT NULL, payload BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS precious ON record (id) WHERE telemetry = 0;
CREATE TABLE IF NOT EXISTS span (first INTEGER PRIMARY KEY, until INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS batch (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, first INTEGER NOT NULL, last INTEGER NOT NULL,
    sent_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS image (sha256 TEXT PRIMARY KEY, bytes INTEGER NOT NULL, payload BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS named (
    record INTEGER NOT NULL, sha256 TEXT NOT NULL, PRIMARY KEY (record, sha256)) WITHOUT ROWID;
"""

ROW_BYTES: Final = 32  # what a row costs beside its payload, roughly
_CHUNK: Final = 500
_LOOK_BACK_BATCHES: Final = 4
_counters: Final = attrgetter("seq", "next_id", "live_from", "drop_from", "records", "bytes", "dropped", "age_ms")

log = logs.get(__name__)


@dataclass(slots=True)
class Ledger:
    """The counters of the outbox; read at the start of a transaction's work and written at its end."""

    epoch: str
    seq: int
    next_id: int
    live_from: int
    drop_from: int
    records: int
    bytes: int
    dropped: int
    age_ms: int


@dataclass(frozen=True, slots=True)
class Item:
    """A record ready to be kept: its JSON, whether it may be dropped for room, and its pictures.

    A `flaw` says why it can never be sent; then the payload is what there is of it.
    """

    payload: bytes
    telemetry: bool
    images: tuple[bytes, ...] = ()
    flaw: str = ""

    @property
    def cost(self) -> int:
        """Bytes that it takes in the outbox."""
        return len(self.payload) + ROW_BYTES + sum(map(len, self.images))


@dataclass(frozen=True, slots=True)
class Stretch:
    """A batch as the outbox knows it."""

    seq: int
    id: UUID
    first: int
    last: int
    sent_at: str


def begin(connection: apsw.Connection) -> Ledger:
    """Read the counters, or start them with a fresh epoch."""
    fields = connection.execute(
        "SELECT epoch, seq, next_id, live_from, drop_from, records, bytes, dropped, age_ms FROM ledger"
    ).fetchone()
    if fields is not None:
        return Ledger(*fields)
    ledger = Ledger(str(uuid4()), 0, 1, 1, 0, 0, 0, 0, 0)
    connection.execute("INSERT INTO ledger VALUES (1, ?, 0, 1, 1, 0, 0, 0, 0, 0)", (ledger.epoch,))
    return ledger


def finish(connection: apsw.Connection, ledger: Ledger) -> None:
    """Write the counters."""
    connection.execute(
        "UPDATE ledger SET seq=?, next_id=?, live_from=?, drop_from=?, records=?, bytes=?, dropped=?, age_ms=?",
        _counters(ledger),
    )


def add(connection: apsw.Connection, ledger: Ledger, items: tuple[Item, ...]) -> None:
    """Store records with their pictures."""
    first = ledger.next_id
    connection.executemany(
        "INSERT INTO record VALUES (?, ?, ?, ?)",
        ((first + place, item.telemetry, ledger.age_ms, item.payload) for place, item in enumerate(items)),
    )
    ledger.next_id += len(items)
    ledger.records += len(items)
    ledger.bytes += sum(len(item.payload) + ROW_BYTES for item in items)
    for place, item in enumerate(items):
        for image in item.images:
            _add_image(connection, ledger, first + place, image)


def _add_image(connection: apsw.Connection, ledger: Ledger, record: int, image: bytes) -> None:
    digest = hashlib.sha256(image).hexdigest()
    if len(image) > MAX_MESSAGE_BYTES:
        reason = f"{len(image)} bytes, at most {MAX_MESSAGE_BYTES} are allowed"
        log.error("image_quarantined", sha256=digest, reason=reason)
        quarantine.put_aside(connection, digest, "image", reason, image)
        return
    connection.execute("INSERT OR IGNORE INTO image VALUES (?, ?, ?)", (digest, len(image), image))
    ledger.bytes += len(image) if connection.changes() else 0
    connection.execute("INSERT OR IGNORE INTO named VALUES (?, ?)", (record, digest))


def cut_live(
    connection: apsw.Connection, ledger: Ledger, limit: int, limit_bytes: int
) -> tuple[int, int, list[bytes]] | None:
    """Take the next batch's records out of the live lane; return the first and last id and the payloads."""
    if ledger.next_id - ledger.live_from > _LOOK_BACK_BATCHES * limit:
        newest = ledger.next_id - limit
        connection.execute("INSERT INTO span VALUES (?, ?)", (ledger.live_from, newest))
        ledger.live_from = newest
    rows = _rows(connection, ledger.live_from, ledger.next_id, limit, limit_bytes)
    if not rows:
        return None
    ledger.live_from = rows[-1][0] + 1
    return rows[0][0], rows[-1][0], [payload for _, payload in rows]


def cut_backlog(connection: apsw.Connection, limit: int, limit_bytes: int) -> tuple[int, int, list[bytes]] | None:
    """Take the next batch's records out of the oldest span that still has any."""
    spans: list[tuple[int, int]] = _all(connection, "SELECT first, until FROM span ORDER BY first")
    for first, until in spans:
        rows = _rows(connection, first, until, limit, limit_bytes)
        connection.execute("DELETE FROM span WHERE first = ?", (first,))
        if rows:
            last = rows[-1][0]
            if last + 1 < until:
                connection.execute("INSERT INTO span VALUES (?, ?)", (last + 1, until))
            return rows[0][0], last, [payload for _, payload in rows]
    return None


def _rows(connection: apsw.Connection, first: int, until: int, limit: int, limit_bytes: int) -> list[tuple[int, bytes]]:
    rows: list[tuple[int, bytes]] = []
    room = limit_bytes
    for number, payload in connection.execute(
        "SELECT id, payload FROM record WHERE id >= ? AND id < ? ORDER BY id LIMIT ?", (first, until, limit)
    ):
        room -= len(payload) + 1
        if rows and room < 0:
            break
        rows.append((number, payload))
    return rows


def _all(connection: apsw.Connection, query: str, values: tuple[int, ...] = ()) -> list[Any]:
    """Return all rows; what the columns hold, the schema says."""
    return connection.execute(query, values).fetchall()


def stretches(connection: apsw.Connection) -> list[Stretch]:
    """Return all batches that were made and not yet forgotten, oldest first."""
    return [
        Stretch(seq, UUID(number), first, last, sent_at)
        for seq, number, first, last, sent_at in connection.execute(
            "SELECT seq, id, first, last, sent_at FROM batch ORDER BY seq"
        )
    ]


def stretch(connection: apsw.Connection, number: UUID) -> Stretch | None:
    """Return one batch, None when it is forgotten."""
    row = connection.execute("SELECT seq, first, last, sent_at FROM batch WHERE id = ?", (str(number),)).fetchone()
    return None if row is None else Stretch(row[0], number, *row[1:])


def payloads(connection: apsw.Connection, batch: Stretch) -> list[bytes]:
    """Return the records of a batch."""
    found = connection.execute(
        "SELECT payload FROM record WHERE id BETWEEN ? AND ? ORDER BY id", (batch.first, batch.last)
    )
    return [payload for (payload,) in found]


def forget(connection: apsw.Connection, ledger: Ledger, batch: Stretch) -> None:
    """Delete a batch and its records; pictures are forgotten by `forget_image` alone."""
    sizes = connection.execute(
        "SELECT count(*), coalesce(sum(length(payload)), 0) FROM record WHERE id BETWEEN ? AND ?",
        (batch.first, batch.last),
    ).fetchone()
    assert sizes is not None  # noqa: S101 - an aggregate always has a row
    connection.execute("DELETE FROM record WHERE id BETWEEN ? AND ?", (batch.first, batch.last))
    connection.execute("DELETE FROM batch WHERE seq = ?", (batch.seq,))
    ledger.records -= sizes[0]
    ledger.bytes -= sizes[1] + sizes[0] * ROW_BYTES


def forget_image(connection: apsw.Connection, ledger: Ledger, digest: str) -> None:
    """Delete a picture."""
    row = connection.execute("SELECT bytes FROM image WHERE sha256 = ?", (digest,)).fetchone()
    if row is not None:
        connection.execute("DELETE FROM image WHERE sha256 = ?", (digest,))
        connection.execute("DELETE FROM named WHERE sha256 = ?", (digest,))
        ledger.bytes -= row[0]


def images_of(connection: apsw.Connection, batch: Stretch) -> list[str]:
    """Return the pictures that the records of a batch name and the hub has not confirmed."""
    found = connection.execute(
        "SELECT DISTINCT sha256 FROM named WHERE record BETWEEN ? AND ?", (batch.first, batch.last)
    )
    return [digest for (digest,) in found]


def images_left(connection: apsw.Connection) -> list[str]:
    """Return the pictures whose records the hub has confirmed already."""
    found = connection.execute(
        "SELECT DISTINCT sha256 FROM named WHERE NOT EXISTS (SELECT 1 FROM record WHERE id = named.record)"
    )
    return [digest for (digest,) in found]


def holds_alarms(connection: apsw.Connection) -> bool:
    """Whether anything waits that is no telemetry."""
    return connection.execute("SELECT 1 FROM record WHERE telemetry = 0 LIMIT 1").fetchone() is not None


def image(connection: apsw.Connection, digest: str) -> bytes | None:
    """Return a picture's bytes, None when it is forgotten."""
    row = connection.execute("SELECT payload FROM image WHERE sha256 = ?", (digest,)).fetchone()
    return None if row is None else row[0]


def drop_telemetry(connection: apsw.Connection, ledger: Ledger, *, need: int = 0, before_age_ms: int = -1) -> int:
    """Drop the oldest telemetry that no batch holds: until `need` bytes are freed and while older than an age.

    Returns the number of records dropped. Everything up to `drop_from` is known to be kept or in a batch already.
    """
    dropped = freed = 0
    while True:
        rows: list[tuple[int, int, int]] = _all(
            connection,
            "SELECT id, length(payload), age_ms FROM record WHERE id > ? AND telemetry AND NOT EXISTS"
            " (SELECT 1 FROM batch WHERE record.id BETWEEN first AND last) ORDER BY id LIMIT ?",
            (ledger.drop_from, _CHUNK),
        )
        doomed: list[int] = []
        for number, size, age_ms in rows:
            if freed >= need and age_ms >= before_age_ms:
                break
            doomed.append(number)
            freed += size + ROW_BYTES
        connection.executemany("DELETE FROM record WHERE id = ?", ((number,) for number in doomed))
        dropped += len(doomed)
        if doomed:
            ledger.drop_from = doomed[-1]
        if len(doomed) < _CHUNK:
            break
    ledger.records -= dropped
    ledger.bytes -= freed
    ledger.dropped += dropped
    return dropped
