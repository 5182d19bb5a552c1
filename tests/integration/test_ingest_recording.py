"""The relational half of ingest, on both databases: the same messages again change nothing, also from two workers."""

import asyncio
import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.commands.model import IssuedCommand
from hub.devices.model import Device
from hub.events.model import EventMessage, ReceiptMessage
from hub.gateways.model import Gateway
from hub.gateways.presence import Presence
from hub.ingest import repository
from hub.ingest.deliveries import Delivery
from hub.ingest.model import DeadLetter, TakenBatch
from hub.ingest.reading import read
from hub.ingest.recording import Recorder
from hub.media.model import MediaObject
from hub.storage.database import Database
from hub.stream.model import StreamEventRow
from hub.stream.stream import Stream
from hub.telemetry.contract import Arrival
from protocol import codec, topics
from protocol.clock import ManualClock
from protocol.messages import (
    Batch,
    DeviceState,
    DeviceStatus,
    Event,
    EventState,
    OutboxStatus,
    Outcome,
    Position,
    Receipt,
    Reply,
    Severity,
    State,
)

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
EPOCH = UUID(int=9)
JPEG = b"\xff\xd8\xff" + bytes(10)
COMMAND = UUID(int=77)


class Counting:
    """A consumer that counts each batch that reaches it."""

    def __init__(self) -> None:
        self.taken: list[int] = []

    async def take(self, session: AsyncSession, arrivals: Sequence[Arrival]) -> None:
        assert session.in_transaction()
        self.taken += [arrival.batch.seq for arrival in arrivals]


def batch(seq: int, *, extra: Any = None) -> Delivery:
    at = NOW + timedelta(seconds=seq)
    event = Event(
        device="cam-1",
        at=at,
        type="camera.dark",
        severity=Severity.MINOR,
        id=UUID(int=seq),
        state=EventState.BEGAN,
        data={"mean": 3},
    )
    records = (
        Position(device="van-7", at=at, latitude=24.5, longitude=118.1),
        event,
        Receipt(device="printer-1", at=at, job=f"job-{seq}", result="printed"),
    )
    message = Batch(id=UUID(int=1000 + seq), gateway="g1", epoch=EPOCH, seq=seq, sent_at=at, records=records)
    payload = codec.encode(message)
    if extra is not None:
        tree = json.loads(payload)
        tree["records"] += [extra]
        payload = json.dumps(tree).encode()
    return read(topics.batch("g1"), payload, NOW)


def state(*, online: bool, at: datetime = NOW, status: DeviceState = DeviceState.OK) -> Delivery:
    message = State(
        gateway="g1",
        epoch=EPOCH,
        online=online,
        at=at,
        agent="1.0",
        devices=(DeviceStatus(device="cam-1", driver="camera", status=status, since=at),),
        outbox=OutboxStatus(records=3),
    )
    return read(topics.state("g1"), codec.encode(message), at)


def everything() -> list[Delivery]:
    reply = Reply(id=COMMAND, result=Outcome.DONE, data={"n": 1}, at=NOW)
    return [
        batch(1),
        batch(2, extra={"kind": "smell"}),
        state(online=True),
        read(topics.reply("g1"), codec.encode(reply), NOW),
        read(topics.image("g1", hashlib.sha256(JPEG).hexdigest()), JPEG, NOW),
        read(topics.image("g1", "0" * 64), JPEG, NOW),
        read(topics.batch("g1"), b"\xff", NOW),
    ]


async def prepared(database: Database) -> None:
    async with database.write() as session:
        session.add(Gateway(gateway="g1", password_digest="", credentials_at=NOW, created_at=NOW))
        await session.flush()
        session.add(
            IssuedCommand(
                id=COMMAND,
                gateway="g1",
                name="snapshot",
                args={},
                issued_by="test",
                issued_at=NOW,
                expires_at=NOW + timedelta(hours=1),
            )
        )


async def counted(database: Database) -> dict[str, int]:
    tables = (EventMessage, ReceiptMessage, Device, MediaObject, DeadLetter, TakenBatch, StreamEventRow)
    async with database.read() as session:
        return {
            table.__tablename__: await session.scalar(select(func.count()).select_from(table)) or 0 for table in tables
        }


async def test_text_that_a_database_cannot_keep_costs_its_record_alone(database: Database) -> None:
    await prepared(database)
    at = NOW.isoformat().replace("+00:00", "Z")
    event: dict[str, Any] = {"kind": "event", "device": "cam-1", "at": at, "type": "camera.dark", "severity": "minor"}
    event |= {"id": str(UUID(int=9)), "state": "began", "data": {"text": "x\0"}}
    receipt = {"kind": "receipt", "device": "printer-1", "at": at, "job": "j", "result": "printed"}
    clock = ManualClock(NOW)
    recorder = Recorder(database, Stream(database, clock), clock, [])
    recorded = await recorder.record([batch(1, extra=event), batch(2, extra=receipt | {"detail": "\0"})])
    assert recorded.letters == 2
    found = await counted(database)
    assert (found["event_message"], found["receipt_message"], found["taken_batch"]) == (2, 2, 2)
    async with database.read() as session:
        letters = list(await session.scalars(select(DeadLetter).order_by(DeadLetter.batch)))
    assert [letter.reason for letter in letters] == [
        "the character U+0000 at $.data.text: it cannot be stored",
        "the character U+0000 at $.detail: it cannot be stored",
    ]
    assert json.loads(letters[0].payload) == event


class Heard(Stream):
    """A stream that keeps what it is told."""

    def __init__(self, database: Database, clock: ManualClock) -> None:
        super().__init__(database, clock)
        self.told: list[tuple[str, str, Any]] = []

    def tell(self, kind: str, key: str, data: dict[str, Any]) -> None:
        self.told.append((kind, key, data["at"]))


async def test_a_device_is_told_where_it_was_last_whatever_order_its_positions_come_in(database: Database) -> None:
    await prepared(database)
    clock = ManualClock(NOW)
    heard = Heard(database, clock)
    await Recorder(database, heard, clock, []).record([batch(1), batch(3), batch(2)])
    assert heard.told == [("position", "g1/van-7", "2026-11-24T08:00:03+00:00")]


async def test_the_same_messages_again_change_nothing(database: Database) -> None:
    await prepared(database)
    clock, counting = ManualClock(NOW), Counting()
    recorder = Recorder(database, Stream(database, clock), clock, [counting])
    recorded = await recorder.record(everything())
    assert (set(recorded.back), recorded.letters) == ({"g1"}, 3)
    before = await counted(database)
    assert before == {
        "event_message": 2,
        "receipt_message": 2,
        "device": 3,
        "media": 1,
        "dead_letter": 3,
        "taken_batch": 2,
        "stream_event": 2,
    }
    await recorder.record(everything())
    await Recorder(database, Stream(database, clock), clock, [counting]).record(everything())
    assert await counted(database) == before
    assert counting.taken == [1, 2]
    async with database.read() as session:
        gateway = await session.get_one(Gateway, "g1")
        assert (gateway.online, gateway.agent, gateway.last_seen_at) == (True, "1.0", NOW)
        assert gateway.outbox is not None
        assert gateway.outbox["records"] == 3
        assert set(await session.scalars(select(DeadLetter.times_seen))) == {3}
        command = await session.get_one(IssuedCommand, COMMAND)
        assert (command.state, command.data) == ("done", {"n": 1})
        camera = await session.get_one(Device, ("g1", "cam-1"))
        assert (camera.driver, camera.status) == ("camera", "ok")


async def test_two_workers_with_the_same_batches_give_each_its_effects_once(database: Database) -> None:
    await prepared(database)
    clock, counting = ManualClock(NOW), Counting()
    workers = [Recorder(database, Stream(database, clock), clock, [counting]) for _ in range(2)]
    numbers = range(1, 21)
    await asyncio.gather(*(worker.record([batch(seq)]) for seq in numbers for worker in workers[:1]))
    await asyncio.gather(workers[0].record([batch(seq) for seq in numbers]), workers[1].record([batch(30), batch(31)]))
    await asyncio.gather(*(worker.record([batch(seq) for seq in range(40, 50)]) for worker in workers))
    assert sorted(counting.taken) == [*numbers, 30, 31, *range(40, 50)]


async def test_a_status_that_changes_is_streamed(database: Database) -> None:
    await prepared(database)
    clock = ManualClock(NOW)
    recorder = Recorder(database, Stream(database, clock), clock, [])
    later = NOW + timedelta(minutes=5)
    await recorder.record([state(online=True)])
    await recorder.record([state(online=True, at=later, status=DeviceState.LOST)])
    await recorder.record([state(online=False, at=later + timedelta(seconds=1), status=DeviceState.LOST)])
    async with database.read() as session:
        rows = (await session.scalars(select(StreamEventRow).order_by(StreamEventRow.id))).all()
    assert [(row.kind, row.data.get("status")) for row in rows] == [
        ("device", "ok"),
        ("gateway", "online"),
        ("device", "lost"),
        ("gateway", "offline"),
    ]


async def test_the_sweep_believes_the_broker(database: Database) -> None:
    await prepared(database)
    clock = ManualClock(NOW)
    stream = Stream(database, clock)
    await Recorder(database, stream, clock, []).record([state(online=True)])
    presence = Presence(stream)

    async def swept(connected: set[str], settled_before: datetime) -> bool:
        async with database.write() as session:
            await presence.sweep(session, connected, settled_before)
        async with database.read() as session:
            return (await session.get_one(Gateway, "g1")).online

    assert await swept({"g1"}, NOW + timedelta(seconds=10))
    assert await swept(set(), NOW - timedelta(seconds=1))
    assert not await swept(set(), NOW + timedelta(seconds=10))


async def test_who_falls_silent_is_offline_where_no_broker_can_be_asked(database: Database) -> None:
    await prepared(database)
    clock = ManualClock(NOW)
    stream = Stream(database, clock)
    await Recorder(database, stream, clock, []).record([state(online=True)])
    for since, online in ((NOW - timedelta(seconds=1), True), (NOW, False)):
        async with database.write() as session:
            await Presence(stream).sweep_silent(session, since)
        async with database.read() as session:
            assert (await session.get_one(Gateway, "g1")).online is online


async def test_what_is_old_is_forgotten(database: Database) -> None:
    await prepared(database)
    clock = ManualClock(NOW)
    await Recorder(database, Stream(database, clock), clock, []).record(everything())
    later = NOW + timedelta(days=1)
    async with database.write() as session:
        letters = [read(topics.batch("g1"), uuid4().bytes, later).letters[0] for _ in range(5)]
        await repository.keep_letters(session, clock, later, letters)
    async with database.write() as session:
        assert await repository.forget_taken(session, NOW) == 0
        assert await repository.forget_taken(session, NOW + timedelta(seconds=1)) == 2
        assert await repository.forget_letters(session, NOW + timedelta(seconds=1), 4 * 16) == 4
    async with database.read() as session:
        assert await session.scalar(select(func.count()).select_from(DeadLetter)) == 4
