"""Bytes to messages and back: strict, bounded, and never losing what it cannot read.

A batch is read in one pass when it is exactly of this version. Otherwise it is read record by record: what a record has
beyond this version is kept beside it, and a record that does not validate is handed back alone, with its bytes and its
reason, while its neighbours live.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, TypeVar

import msgspec

from protocol.errors import UndecodableMessageError
from protocol.messages import (
    MAX_MESSAGE_BYTES,
    MAX_RECORDS,
    Ack,
    Batch,
    Command,
    Event,
    Position,
    Reading,
    Receipt,
    Record,
    Reply,
    State,
)
from protocol.topics import LEVEL_PATTERN, is_level
from protocol.values import unfit

Message = TypeVar("Message", bound=msgspec.Struct)

_encoder: Final = msgspec.json.Encoder()
_batches: Final = msgspec.json.Decoder(Batch)
_states: Final = msgspec.json.Decoder(State)
_replies: Final = msgspec.json.Decoder(Reply)
_acks: Final = msgspec.json.Decoder(Ack)
_commands: Final = msgspec.json.Decoder(Command)
_KINDS: Final[dict[str, type[Record]]] = {
    str(kind.__struct_config__.tag): kind for kind in (Reading, Position, Event, Receipt)
}
_ENVELOPE: Final = frozenset(Batch.__struct_fields__)
_SPAN: Final = ("from", "to")
_json: Final = json.JSONDecoder()
_is_device: Final = lru_cache(maxsize=20_000)(is_level)

# msgspec lets a broken key of an object out as UnicodeDecodeError, and deep nesting as RecursionError.
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


@dataclass(frozen=True, slots=True)
class RefusedRecord:
    """A record that did not validate: its place in the batch, its bytes as they came, and why."""

    index: int
    payload: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class DecodedBatch:
    """A batch with what could not be part of it.

    `extras` maps the index of a record in `batch.records` to the fields that this version does not know, `extra` holds
    those of the envelope, and `refused` the records that are not in `batch.records`.
    """

    batch: Batch
    extras: dict[int, dict[str, Any]]
    extra: dict[str, Any]
    refused: tuple[RefusedRecord, ...]


def encode(message: msgspec.Struct) -> bytes:
    """Write a message as JSON. Raises ValueError when it would exceed the size of the contract."""
    payload = _encoder.encode(message)
    if len(payload) > MAX_MESSAGE_BYTES:
        raise ValueError(f"{type(message).__name__} of {len(payload)} bytes, at most {MAX_MESSAGE_BYTES} are allowed")
    return payload


def decode_batch(payload: bytes) -> DecodedBatch:
    """Read a batch; raise UndecodableMessageError when not even its envelope can be read."""
    _bounded(payload)
    try:
        batch = _batches.decode(payload)
    except _UNREADABLE:
        return _decode_record_by_record(payload)
    if not all(map(_is_device, {record.device for record in batch.records})):
        return _decode_record_by_record(payload)
    # Only events hold values of any shape, and most batches hold no event.
    if Event in map(type, batch.records) and any(
        unfit(each.data, "$.data", 1) for each in batch.records if type(each) is Event
    ):
        return _decode_record_by_record(payload)
    return DecodedBatch(batch, {}, {}, ())


def decode_state(payload: bytes) -> State:
    """Read a gateway's state; unknown fields are ignored."""
    return _decode(_states, payload)


def decode_reply(payload: bytes) -> Reply:
    """Read a reply to a command; unknown fields are ignored."""
    reply = _decode(_replies, payload)
    if flaw := unfit(reply.data, "$.data", 1):
        raise UndecodableMessageError(flaw, payload)
    return reply


def decode_ack(payload: bytes) -> Ack:
    """Read an acknowledgement; unknown fields are ignored."""
    return _decode(_acks, payload)


def decode_command(payload: bytes) -> Command:
    """Read a command; unknown fields are ignored."""
    return _decode(_commands, payload)


def decode_record(payload: bytes) -> tuple[Record, dict[str, Any]]:
    """Read one record alone, as it lies among the dead letters; return it with the fields that are not known."""
    _bounded(payload)
    return _convert_record(_parse(payload, _text(payload)))


def in_utc(at: datetime) -> datetime:
    """Return the same instant in UTC: a sender may write any offset, inside there is only UTC."""
    return at if at.tzinfo is UTC else at.astimezone(UTC)


def _bounded(payload: bytes) -> None:
    if len(payload) > MAX_MESSAGE_BYTES:
        raise UndecodableMessageError(f"{len(payload)} bytes, at most {MAX_MESSAGE_BYTES} are allowed", payload)


def _decode(decoder: msgspec.json.Decoder[Message], payload: bytes) -> Message:
    _bounded(payload)
    try:
        return decoder.decode(payload)
    except _UNREADABLE as error:
        raise UndecodableMessageError(str(error), payload) from error


def _text(payload: bytes) -> str:
    try:
        return payload.decode("utf-8", errors="strict")
    except UnicodeDecodeError as error:
        raise UndecodableMessageError(str(error), payload) from error


def _parse(payload: bytes, text: str, start: int = 0) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return _json.raw_decode(text, start)[0]
    except (ValueError, RecursionError) as error:
        raise UndecodableMessageError(str(error), payload) from error


def _decode_record_by_record(payload: bytes) -> DecodedBatch:
    text = _text(payload)
    try:
        members = dict(_spans_of_members(text, _after_blanks(text, 0)))
        envelope = {key: _json.raw_decode(text, start)[0] for key, (start, _) in members.items() if key != "records"}
        spans = list(_spans_of_elements(text, members["records"][0]))
    except KeyError as error:
        raise UndecodableMessageError("a batch needs `records`", payload) from error
    except (ValueError, IndexError, RecursionError) as error:
        raise UndecodableMessageError(str(error), payload) from error
    records: list[Record] = []
    extras: dict[int, dict[str, Any]] = {}
    refused: list[RefusedRecord] = []
    for index, (start, end) in enumerate(spans):
        part = text[start:end].encode()
        try:
            record, extra = _convert_record(_parse(part, text, start))
        except UndecodableMessageError as error:
            refused.append(RefusedRecord(index, part, error.reason))
            continue
        if extra:
            extras[len(records)] = extra
        records.append(record)
    known = {key: value for key, value in envelope.items() if key in _ENVELOPE}
    extra = {key: value for key, value in envelope.items() if key not in _ENVELOPE}
    try:
        batch = msgspec.convert({**known, "records": ()}, Batch)
    except msgspec.ValidationError as error:
        raise UndecodableMessageError(str(error), payload) from error
    if len(records) > MAX_RECORDS:
        raise UndecodableMessageError(f"{len(records)} records, at most {MAX_RECORDS} are allowed", payload)
    return DecodedBatch(msgspec.structs.replace(batch, records=tuple(records)), extras, extra, tuple(refused))


def _convert_record(value: Any) -> tuple[Record, dict[str, Any]]:  # noqa: ANN401 - any JSON value
    """Split what is known from what is not, and validate the former."""
    kind = _KINDS.get(str(value.get("kind"))) if isinstance(value, dict) else None
    if kind is None:
        raise UndecodableMessageError(f"a record needs a `kind` of {', '.join(_KINDS)}", b"")
    if flaw := unfit(value):
        raise UndecodableMessageError(flaw, b"")
    fields = {"kind", *kind.__struct_encode_fields__}
    known = {key: part for key, part in value.items() if key in fields}
    extra = {key: part for key, part in value.items() if key not in fields}
    clip = known.get("clip")
    if isinstance(clip, dict) and (unknown := {key: part for key, part in clip.items() if key not in _SPAN}):
        known["clip"] = {key: part for key, part in clip.items() if key in _SPAN}
        extra["clip"] = unknown
    try:
        record = msgspec.convert(known, kind)
    except msgspec.ValidationError as error:
        raise UndecodableMessageError(str(error), b"") from error
    if not is_level(record.device):
        raise UndecodableMessageError(f"Expected `str` matching regex {LEVEL_PATTERN!r} - at `$.device`", b"")
    return record, extra


def _after_blanks(text: str, start: int) -> int:
    while text[start] in " \t\r\n":
        start += 1
    return start


def _spans_of_members(text: str, start: int) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield every key of the object at `start` with the first and the last-plus-one character of its value."""
    place = _enter(text, start, "{")
    while text[place] != "}":
        key, place = _json.raw_decode(text, place)
        if not isinstance(key, str):
            raise ValueError(f"a key is no string near character {place}")  # noqa: TRY004 - the bytes are wrong
        begin = _enter(text, _after_blanks(text, place), ":")
        end = _json.raw_decode(text, begin)[1]
        yield key, (begin, end)
        place = _after_comma(text, end, "}")
    if text[place + 1 :].strip():
        raise ValueError("characters after the end of the message")


def _spans_of_elements(text: str, start: int) -> Iterator[tuple[int, int]]:
    """Yield the first and the last-plus-one character of every element of the array at `start`."""
    place = _enter(text, start, "[")
    while text[place] != "]":
        end = _json.raw_decode(text, place)[1]
        yield place, end
        place = _after_comma(text, end, "]")


def _enter(text: str, start: int, opening: str) -> int:
    if text[start] != opening:
        raise ValueError(f"expected {opening!r} at character {start}")
    return _after_blanks(text, start + 1)


def _after_comma(text: str, start: int, closing: str) -> int:
    place = _after_blanks(text, start)
    if text[place] == closing:
        return place
    place = _enter(text, place, ",")
    if text[place] == closing:
        raise ValueError(f"nothing after the comma at character {place}")
    return place
