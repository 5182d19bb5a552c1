"""The codec: strict, bounded, and never losing what it cannot read."""

import json
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import codec
from protocol.errors import UndecodableMessageError
from protocol.messages import (
    MAX_MESSAGE_BYTES,
    Ack,
    Batch,
    Command,
    DeviceState,
    DeviceStatus,
    Event,
    EventState,
    OutboxStatus,
    Outcome,
    Position,
    Reading,
    Receipt,
    Record,
    Refusal,
    Reply,
    Severity,
    Span,
    State,
)

AT = datetime(2026, 11, 24, 8, tzinfo=UTC)
EPOCH = UUID("3c8b1f0e-4b0e-4c55-9a55-0d6b8f1f8f10")


def _nested(depth: int) -> list[object]:
    """Return lists in lists, so many deep."""
    value: list[object] = []
    for _ in range(depth - 1):
        value = [value]
    return value


levels = st.from_regex(r"\A[a-z0-9_-]{1,64}\Z")
words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
instants = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone
finite = st.floats(allow_nan=False, allow_infinity=False)
data = st.dictionaries(
    words, st.one_of(st.none(), st.booleans(), finite, words, st.lists(finite, max_size=3)), max_size=4
)
digests = st.from_regex(r"\A[0-9a-f]{64}\Z")

readings = st.builds(
    Reading,
    device=levels,
    at=instants,
    values=st.dictionaries(words, st.one_of(finite, st.booleans(), words), min_size=1, max_size=6),
)
positions = st.builds(
    Position,
    device=levels,
    at=instants,
    latitude=st.floats(-90, 90),
    longitude=st.floats(-180, 180),
    speed_mps=st.none() | st.floats(0, 1000),
    hdop=st.none() | st.floats(0, 1000),
    satellites=st.none() | st.integers(0, 64),
    flags=st.lists(words, max_size=3).map(tuple),
)
events = st.builds(
    Event,
    device=levels,
    at=instants,
    type=words,
    severity=st.sampled_from(Severity),
    id=st.uuids(),
    state=st.sampled_from(EventState),
    score=st.none() | st.floats(0, 1),
    data=data,
    images=st.lists(digests, max_size=3).map(tuple),
    clip=st.none() | st.builds(Span, since=instants, until=instants),
)
receipts = st.builds(Receipt, device=levels, at=instants, job=words, result=words, detail=words)
records: st.SearchStrategy[Record] = st.one_of(readings, positions, events, receipts)
batches = st.builds(
    Batch,
    id=st.uuids(),
    gateway=levels,
    epoch=st.uuids(),
    seq=st.integers(0, 2**53 - 1),
    sent_at=instants,
    records=st.lists(records, max_size=8).map(tuple),
)


@given(batches)
def test_batches_come_back_whole(batch: Batch) -> None:
    decoded = codec.decode_batch(codec.encode(batch))
    assert decoded == codec.DecodedBatch(batch, {}, {}, ())


@given(
    st.builds(
        State,
        gateway=levels,
        epoch=st.uuids(),
        online=st.booleans(),
        at=instants,
        agent=words,
        devices=st.lists(
            st.builds(DeviceStatus, device=levels, driver=words, status=st.sampled_from(DeviceState), since=instants),
            max_size=3,
        ).map(tuple),
        outbox=st.none() | st.builds(OutboxStatus, records=st.integers(0, 10**9), oldest_at=st.none() | instants),
    )
)
def test_states_come_back_whole(state: State) -> None:
    assert codec.decode_state(codec.encode(state)) == state


@given(
    st.builds(
        Ack,
        batches=st.lists(st.uuids(), max_size=4).map(tuple),
        images=st.lists(digests, max_size=2).map(tuple),
        refused=st.lists(st.builds(Refusal, id=words, reason=words), max_size=2).map(tuple),
        hub_at=instants,
    )
)
def test_acks_come_back_whole(ack: Ack) -> None:
    assert codec.decode_ack(codec.encode(ack)) == ack


@given(st.builds(Command, id=st.uuids(), device=st.none() | levels, name=words, args=data, expires_at=instants))
def test_commands_come_back_whole(command: Command) -> None:
    assert codec.decode_command(codec.encode(command)) == command


@given(st.builds(Reply, id=st.uuids(), result=st.sampled_from(Outcome), data=data, at=instants))
def test_replies_come_back_whole(reply: Reply) -> None:
    assert codec.decode_reply(codec.encode(reply)) == reply


@given(batches, st.dictionaries(words.map(lambda word: f"x-{word}"), finite, min_size=1, max_size=3))
def test_unknown_fields_of_every_record_are_kept(batch: Batch, more: dict[str, float]) -> None:
    raw = json.loads(codec.encode(batch))
    for record in raw["records"]:
        record.update(more)
    decoded = codec.decode_batch(json.dumps(raw).encode())
    assert decoded.batch == batch
    assert decoded.extras == dict.fromkeys(range(len(batch.records)), more)
    assert not decoded.refused


@given(st.lists(st.tuples(records, st.sampled_from(["good", "kind", "nan", "type", "naive", "missing"])), max_size=8))
def test_a_bad_record_is_refused_alone_with_its_bytes(choices: list[tuple[Record, str]]) -> None:
    good: list[Record] = []
    parts: list[bytes] = []
    bad: list[tuple[int, bytes]] = []
    for index, (record, fault) in enumerate(choices):
        raw = json.loads(msgspec.json.encode(record))
        if fault == "good":
            good.append(record)
        elif fault == "kind":
            raw["kind"] = "hologram"
        elif fault == "nan":
            raw["values"] = {"n": float("nan")}
        elif fault == "type":
            raw["device"] = 7
        elif fault == "naive":
            raw["at"] = "2026-11-24T08:00:00"
        else:
            del raw["at"]
        parts.append(json.dumps(raw).encode())
        if fault != "good":
            bad.append((index, parts[-1]))
    head = b'{"id":"%s","gateway":"g1","epoch":"%s","seq":1,"sent_at":"2026-11-24T08:00:00Z","records":[' % (
        str(EPOCH).encode(),
        str(EPOCH).encode(),
    )
    decoded = codec.decode_batch(head + b" , ".join(parts) + b"]}")
    assert list(decoded.batch.records) == good
    assert [(refused.index, refused.payload) for refused in decoded.refused] == bad
    assert all(refused.reason for refused in decoded.refused)


@given(st.binary(max_size=200))
def test_noise_is_refused_and_never_crashes(noise: bytes) -> None:
    for read in (codec.decode_state, codec.decode_ack, codec.decode_command, codec.decode_reply, codec.decode_batch):
        with pytest.raises(UndecodableMessageError) as caught:
            read(noise)
        assert caught.value.payload in {noise, b""}


@given(batches, st.integers(0, 10_000), st.integers(0, 255))
def test_a_corrupted_batch_is_read_or_refused(batch: Batch, place: int, byte: int) -> None:
    payload = bytearray(codec.encode(batch))
    payload[place % len(payload)] = byte
    try:
        decoded = codec.decode_batch(bytes(payload))
    except UndecodableMessageError:
        return
    assert all(refused.payload in bytes(payload) for refused in decoded.refused)
    assert codec.decode_batch(codec.encode(decoded.batch)).batch == decoded.batch


def test_what_is_too_large_is_refused_before_it_is_read() -> None:
    with pytest.raises(UndecodableMessageError, match="at most"):
        codec.decode_batch(b" " * (MAX_MESSAGE_BYTES + 1))
    many = tuple(Reading(device="d", at=AT, values={"n": "x" * 4000}) for _ in range(200))
    with pytest.raises(ValueError, match="at most"):
        codec.encode(Batch(id=EPOCH, gateway="g", epoch=EPOCH, seq=1, sent_at=AT, records=many))


def test_deep_nesting_is_refused() -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    envelope = b'{"id":"%s","gateway":"g","epoch":"%s","seq":1,"sent_at":"2026-11-24T08:00:00Z","records":%s}' % (
        str(EPOCH).encode(),
        str(EPOCH).encode(),
        deep,
    )
    with pytest.raises(UndecodableMessageError):
        codec.decode_batch(envelope)


def test_times_are_utc_inside() -> None:
    beijing = datetime(2026, 11, 24, 16, tzinfo=timezone(timedelta(hours=8)))
    assert codec.in_utc(beijing) == AT
    assert codec.in_utc(beijing).tzinfo is UTC


ANY = {"kind": "event", "device": "d", "at": "2026-11-24T08:00:00Z", "type": "x", "severity": "minor", "id": str(EPOCH)}
ODD_DATA = (
    pytest.param({"a": 1}, True, id="plain"),
    pytest.param({"a": "\ud800"}, False, id="half-a-character"),
    pytest.param({"\udc00": 1}, False, id="half-a-character-in-a-name"),
    *(pytest.param({"a": _nested(depth)}, depth < 63, id=f"depth-{depth}") for depth in (62, 63, 300, 600, 900)),
)


@pytest.mark.parametrize("unknown", [{}, {"more": 1}], ids=["this-version", "later-version"])
@pytest.mark.parametrize(("data", "readable"), ODD_DATA)
def test_what_nobody_could_be_handed_is_refused_alone(
    data: dict[str, object], unknown: dict[str, int], *, readable: bool
) -> None:
    odd = ANY | {"state": "instant", "data": data} | unknown
    good = {"kind": "reading", "device": "d", "at": ANY["at"], "values": {"t": 1.5}}
    envelope = {"id": str(EPOCH), "gateway": "g1", "epoch": str(EPOCH), "seq": 1, "sent_at": ANY["at"]}
    decoded = codec.decode_batch(json.dumps(envelope | {"records": [odd, good]}).encode())
    assert len(decoded.refused) == (0 if readable else 1)
    assert isinstance(decoded.batch.records[-1], Reading)
    assert all(refusal.reason.isascii() for refusal in decoded.refused)


@pytest.mark.parametrize("data", [{"a": _nested(300)}, {"a": _nested(900)}])
def test_a_reply_that_nests_too_deep_is_refused(data: dict[str, object]) -> None:
    payload = json.dumps({"id": str(EPOCH), "result": "done", "data": data, "at": ANY["at"]}).encode()
    with pytest.raises(UndecodableMessageError, match="nested deeper"):
        codec.decode_reply(payload)


@pytest.mark.parametrize("field", ["device", "gateway"])
def test_a_name_ends_where_it_ends(field: str) -> None:
    """In Python's regular expressions `$` also fits before a last line feed."""
    names = {"gateway": "g1", "device": "d"} | {field: "name\n"}
    reading = {"kind": "reading", "device": names["device"], "at": ANY["at"], "values": {"t": 1.5}}
    envelope = {"id": str(EPOCH), "gateway": names["gateway"], "epoch": str(EPOCH), "seq": 1, "sent_at": ANY["at"]}
    payload = json.dumps(envelope | {"records": [reading]}).encode()
    if field == "gateway":
        with pytest.raises(UndecodableMessageError):
            codec.decode_batch(payload)
    else:
        assert len(codec.decode_batch(payload).refused) == 1
