"""Every nasty message has one clear outcome: what is taken, what becomes a dead letter, what the gateway is told."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from hub.ingest.deliveries import Delivery, Part
from hub.ingest.doubt import BEFORE_1990, FROM_THE_FUTURE
from hub.ingest.reading import read, sender, sniffed
from protocol.messages import MAX_MESSAGE_BYTES, Position

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
BATCH = UUID("019abc00-0000-7000-8000-000000000001")
EPOCH = UUID("3c1d3b39-9f7f-4ec7-9b0c-7ed9d3c5b0a1")
TOPIC = "diwang/v1/g1/up/batch"
READING = {"kind": "reading", "device": "d1", "at": "2026-11-24T08:00:00Z", "values": {"t": 1.5}}
POSITION = {"kind": "position", "device": "d1", "at": "2026-11-24T08:00:00Z", "latitude": 24.5, "longitude": 118.1}
EVENT = {
    "kind": "event",
    "device": "d1",
    "at": "2026-11-24T08:00:00Z",
    "type": "camera.dark",
    "severity": "minor",
    "id": "019abc00-0000-7000-8000-00000000000e",
    "state": "began",
}


def batch(*records: Any, **envelope: Any) -> bytes:
    fields = {
        "id": str(BATCH),
        "gateway": "g1",
        "epoch": str(EPOCH),
        "seq": 1,
        "sent_at": "2026-11-24T08:00:00Z",
    } | envelope
    return json.dumps(fields | {"records": list(records)}).encode()


@dataclass(frozen=True)
class Outcome:
    """Records taken, parts of the dead letters, whether the whole batch is refused by its id, a word of the reason."""

    taken: int | None
    letters: tuple[Part, ...] = ()
    refused: bool = False
    reason: str = ""


WHOLE = (Part.MESSAGE,)
ONE = (Part.RECORD,)

NASTY: dict[str, tuple[bytes, Outcome]] = {
    "good": (batch(READING, POSITION, EVENT), Outcome(3)),
    "no records": (batch(), Outcome(0)),
    "not json": (b"\xff\x00nonsense", Outcome(None, WHOLE)),
    "empty": (b"", Outcome(None, WHOLE)),
    "a list": (b"[]", Outcome(None, WHOLE)),
    "null": (b"null", Outcome(None, WHOLE)),
    "cut off within the records": (batch(READING, READING)[:-20], Outcome(None, WHOLE, refused=True)),
    "cut off within the envelope": (batch(READING)[:30], Outcome(None, WHOLE)),
    "other gateway": (batch(READING, gateway="g2"), Outcome(None, WHOLE, refused=True, reason="g2")),
    "no epoch": (batch(READING, epoch=None), Outcome(None, WHOLE, refused=True)),
    "negative seq": (batch(READING, seq=-1), Outcome(None, WHOLE, refused=True)),
    "seq beyond 2^53": (batch(READING, seq=2**60), Outcome(None, WHOLE, refused=True)),
    "id is no uuid": (batch(READING, id="x"), Outcome(None, WHOLE)),
    "time without zone": (batch(READING, sent_at="2026-11-24T08:00:00"), Outcome(None, WHOLE, refused=True)),
    "oversized": (batch(READING, padding="x" * MAX_MESSAGE_BYTES), Outcome(None, WHOLE, refused=True, reason="bytes")),
    "deeply nested": (
        batch(READING).replace(b'"records"', b'"x":' + b"[" * 5000 + b"]" * 5000 + b',"records"'),
        Outcome(None, WHOLE, refused=True),
    ),
    "too many records": (batch(*[READING] * 10_001)[: MAX_MESSAGE_BYTES * 4], Outcome(None, WHOLE, refused=True)),
    "unknown field of the envelope": (batch(READING, colour="blue"), Outcome(1)),
    "unknown field of a record": (batch(READING | {"colour": "blue"}), Outcome(1)),
    "unknown kind": (batch(READING, {"kind": "smell", "device": "d1"}), Outcome(1, ONE, reason="kind")),
    "record is a number": (batch(READING, 7), Outcome(1, ONE)),
    "nan": (batch(READING).replace(b"1.5", b"NaN"), Outcome(0, ONE, reason="finite")),
    "infinity": (batch(READING, POSITION).replace(b"118.1", b"Infinity"), Outcome(1, ONE, reason="finite")),
    "latitude of 91": (batch(POSITION | {"latitude": 91}, READING), Outcome(1, ONE)),
    "device with a slash": (batch(READING | {"device": "a/b"}, READING), Outcome(1, ONE)),
    "device with an injection": (batch(READING | {"device": "'; drop table device; --"}), Outcome(0, ONE)),
    "no values": (batch(READING | {"values": {}}), Outcome(0, ONE)),
    "value is a list": (batch(READING | {"values": {"t": [1]}}), Outcome(0, ONE)),
    "event without id": (batch({key: part for key, part in EVENT.items() if key != "id"}, READING), Outcome(1, ONE)),
    "before 1970": (batch(READING | {"at": "1969-12-31T23:59:59Z"}, READING), Outcome(1, ONE, reason="1970")),
    "year 1 with an offset": (batch(READING | {"at": "0001-01-01T00:00:00+14:00"}, READING), Outcome(1, ONE)),
    "year 9999": (batch(READING, READING | {"at": "9999-12-31T23:59:59Z"}), Outcome(1, ONE)),
    "nul in the data of an event": (
        batch(READING, EVENT | {"data": {"a": ["x\0"]}}),
        Outcome(1, ONE, reason="$.data.a[0]"),
    ),
    "nul in a name": (batch(EVENT | {"data": {"x\0": 1}}, READING), Outcome(1, ONE, reason="U+0000 in a name")),
    "nul in a text value": (batch(READING | {"values": {"t": "\0"}}, READING), Outcome(1, ONE, reason="U+0000")),
    "nul in an unknown field": (batch(READING | {"colour": "\0"}, READING), Outcome(1, ONE, reason="$.colour")),
    "nul in an unknown field of the envelope": (batch(READING, colour="\0"), Outcome(1)),
    "a backslash before what looks like nul": (batch(EVENT | {"data": {"path": "C:\\u0000"}}), Outcome(1)),
    "ancient": (batch(READING | {"at": "1980-01-06T00:00:00Z"}), Outcome(1)),
    "future": (batch(READING | {"at": "2099-01-01T00:00:00Z"}), Outcome(1)),
}


@pytest.mark.parametrize("name", NASTY)
def test_a_batch_has_one_outcome(name: str) -> None:
    payload, expected = NASTY[name]
    delivery = read(TOPIC, payload, NOW)
    taken = None if delivery.arrival is None else len(delivery.arrival.batch.records)
    assert taken == expected.taken
    assert tuple(letter.part for letter in delivery.letters) == expected.letters
    assert delivery.refused == (str(BATCH) if expected.refused else None)
    for letter in delivery.letters:
        assert letter.gateway == "g1"
        assert letter.reason
        assert expected.reason in letter.reason
        assert letter.part is not Part.MESSAGE or letter.payload == payload


STATE = {"gateway": "g1", "epoch": str(EPOCH), "online": True, "at": "2026-11-24T08:00:00Z", "agent": "1"}
REPLY = {"id": str(BATCH), "result": "done", "at": "2026-11-24T08:00:00Z"}
JPEG = b"\xff\xd8\xff\xe0" + b"x" * 100
WEBP = b"RIFF\x00\x00\x00\x00WEBPVP8 "
PNG = b"\x89PNG\r\n\x1a\n"


def named(payload: bytes) -> str:
    return f"diwang/v1/g1/up/image/{hashlib.sha256(payload).hexdigest()}"


def is_state(delivery: Delivery) -> bool:
    return delivery.state is not None


def is_reply(delivery: Delivery) -> bool:
    return delivery.reply is not None


def is_image(delivery: Delivery) -> bool:
    return delivery.image is not None


def is_dead_message(delivery: Delivery) -> bool:
    return not delivery.usable and [letter.part for letter in delivery.letters] == [Part.MESSAGE]


def is_refused_image(delivery: Delivery) -> bool:
    parts = [letter.part for letter in delivery.letters]
    return not delivery.usable and parts == [Part.IMAGE] and delivery.refused == delivery.topic.rsplit("/", 1)[1]


OTHERS: dict[str, tuple[str, bytes, Callable[[Delivery], bool]]] = {
    "state": ("diwang/v1/g1/up/state", json.dumps(STATE).encode(), is_state),
    "state of another": ("diwang/v1/g1/up/state", json.dumps(STATE | {"gateway": "g2"}).encode(), is_dead_message),
    "state with nul": ("diwang/v1/g1/up/state", json.dumps(STATE | {"config": "\0"}).encode(), is_dead_message),
    "reply with nul": ("diwang/v1/g1/up/reply", json.dumps(REPLY | {"data": {"a": "\0"}}).encode(), is_dead_message),
    "state without epoch": ("diwang/v1/g1/up/state", b'{"gateway":"g1"}', is_dead_message),
    "reply": ("diwang/v1/g1/up/reply", json.dumps(REPLY).encode(), is_reply),
    "reply of unknown result": (
        "diwang/v1/g1/up/reply",
        json.dumps(REPLY | {"result": "maybe"}).encode(),
        is_dead_message,
    ),
    "jpeg": (named(JPEG), JPEG, is_image),
    "webp": (named(WEBP), WEBP, is_image),
    "png": (named(PNG), PNG, is_refused_image),
    "html": (named(b"<html>"), b"<html>", is_refused_image),
    "hash that does not match": (named(JPEG), JPEG + b"!", is_refused_image),
    "image too large": (
        named(JPEG + bytes(MAX_MESSAGE_BYTES)),
        JPEG + bytes(MAX_MESSAGE_BYTES),
        is_refused_image,
    ),
    "image without a name": ("diwang/v1/g1/up/image", JPEG, is_dead_message),
    "image with a short name": ("diwang/v1/g1/up/image/abc", JPEG, is_dead_message),
    "unknown branch": ("diwang/v1/g1/up/gossip", b"{}", is_dead_message),
    "one level too many": ("diwang/v1/g1/up/batch/more", batch(READING), is_dead_message),
}


@pytest.mark.parametrize("name", OTHERS)
def test_every_other_message_has_one_outcome(name: str) -> None:
    topic, payload, holds = OTHERS[name]
    assert holds(read(topic, payload, NOW))


@pytest.mark.parametrize(
    "topic", ["diwang/v2/g1/up/batch", "other", "", "diwang/v1/G1/up/batch", "diwang/v1//up/batch"]
)
def test_topics_of_nobody_have_no_sender(topic: str) -> None:
    assert sender(topic) is None


def test_a_position_out_of_time_is_stored_and_flagged() -> None:
    payload = batch(POSITION | {"at": "1980-01-06T00:00:00Z"}, POSITION | {"at": "2026-11-25T08:00:01Z"}, POSITION)
    delivery = read(TOPIC, payload, NOW)
    assert delivery.arrival is not None
    records = delivery.arrival.batch.records
    assert [record.flags for record in records if isinstance(record, Position)] == [
        (BEFORE_1990,),
        (FROM_THE_FUTURE,),
        (),
    ]
    assert [record.at.year for record in records] == [1980, 2026, 2026]


def test_an_event_out_of_time_is_flagged_beside_it() -> None:
    late = (NOW + timedelta(days=2)).isoformat()
    delivery = read(TOPIC, batch(EVENT, EVENT | {"at": late, "colour": "blue"}), NOW)
    assert delivery.arrival is not None
    assert delivery.arrival.extras == {1: {"colour": "blue", "flags": [FROM_THE_FUTURE]}}


def test_extras_follow_their_records_when_one_before_them_goes() -> None:
    payload = batch(READING | {"at": "1960-01-01T00:00:00Z"}, READING | {"colour": "blue"})
    delivery = read(TOPIC, payload, NOW)
    assert delivery.arrival is not None
    assert delivery.arrival.extras == {0: {"colour": "blue"}}
    assert delivery.letters[0].position == 0


def test_an_id_within_the_records_is_not_taken_for_the_batch() -> None:
    payload = json.dumps({"records": [EVENT], "id": str(BATCH)}).encode()
    assert read(TOPIC, payload, NOW).refused is None


def test_only_pictures_are_pictures() -> None:
    assert [sniffed(each) for each in (JPEG, WEBP, PNG, b"", b"RIFFxxxxWAVE")] == [
        "image/jpeg",
        "image/webp",
        None,
        None,
        None,
    ]
