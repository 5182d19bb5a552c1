"""From a topic and its bytes to a delivery: pure, strict, and with an outcome for every message."""

import hashlib
import re
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from hub.ingest.deliveries import Delivery, Image, Letter, Part
from hub.ingest.doubt import doubted, plausible
from hub.ingest.unstorable import suspected, unstorable, whole
from hub.telemetry.contract import Arrival
from protocol import codec, topics
from protocol.errors import UndecodableMessageError
from protocol.messages import MAX_MESSAGE_BYTES, Batch, Record
from protocol.topics import Up, UplinkTopic

_OLDEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NEWEST: Final = datetime(9998, 1, 1, tzinfo=UTC)
_ID: Final = re.compile(rb'"id"\s*:\s*"([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"')
_ANYONE: Final = re.compile(rf"^{topics.ROOT}/([a-z0-9_-]{{1,64}})/")


def sender(topic: str) -> str | None:
    """Return the gateway whose branch a topic lies in, also when the topic is none of the contract."""
    found = _ANYONE.match(topic)
    return found[1] if found else None


def read(topic: str, payload: bytes, received_at: datetime) -> Delivery:
    """Read a message of a gateway. `topic` must have a sender. What cannot be used comes back as a letter."""
    gateway = sender(topic)
    if gateway is None:
        raise ValueError(f"no topic of a gateway: {topic[:200]!r}")
    try:
        parsed = topics.parse_up(topic)
    except UndecodableMessageError as error:
        return _unusable(gateway, topic, payload, received_at, error.reason)
    try:
        match parsed.kind:
            case Up.BATCH:
                return _batch(gateway, topic, payload, received_at)
            case Up.STATE:
                state = codec.decode_state(payload)
                _same_gateway(state.gateway, gateway, payload)
                _storable(payload, state)
                return Delivery(gateway=gateway, topic=topic, payload=payload, received_at=received_at, state=state)
            case Up.REPLY:
                reply = codec.decode_reply(payload)
                _storable(payload, reply)
                return Delivery(gateway=gateway, topic=topic, payload=payload, received_at=received_at, reply=reply)
            case Up.IMAGE:
                return _image(parsed, topic, payload, received_at)
    except UndecodableMessageError as error:
        return _unusable(gateway, topic, payload, received_at, error.reason, batch=_batch_id(parsed, payload))


def flaw(record: Record, extra: dict[str, Any] | None) -> str | None:
    """Return why a record that is good by the contract cannot be stored, None when it can."""
    if not _OLDEST <= record.at < _NEWEST:
        return "`at` is not between the years 1970 and 9997"
    return unstorable(whole(record, extra))


def poisoned(delivery: Delivery, reason: str) -> Delivery:
    """Return the delivery as a dead letter of its whole message: a store refuses it, and it must not block others."""
    name = delivery.arrival.batch.id if delivery.arrival else None
    refused = str(name) if name else delivery.image.sha256 if delivery.image else None
    return _unusable(
        delivery.gateway, delivery.topic, delivery.payload, delivery.received_at, reason, batch=name, refused=refused
    )


def _batch(gateway: str, topic: str, payload: bytes, received_at: datetime) -> Delivery:
    decoded = codec.decode_batch(payload)
    batch = decoded.batch
    _same_gateway(batch.gateway, gateway, payload)
    letters = [
        Letter(gateway, topic, Part.RECORD, refused.reason, refused.payload, batch.id, refused.index)
        for refused in decoded.refused
    ]
    extras: dict[int, dict[str, Any]] = decoded.extras
    doubtful = bool(batch.records) and not plausible(batch, received_at)
    if doubtful or suspected(payload):
        batch, extras, unusable = _parted(batch, extras)
        letters += [
            Letter(gateway, topic, Part.RECORD, reason, record, batch.id, index) for index, record, reason in unusable
        ]
    if doubtful:
        batch, extras = doubted(batch, extras, received_at)
    return Delivery(
        gateway=gateway,
        topic=topic,
        payload=payload,
        received_at=received_at,
        arrival=Arrival(batch, received_at, extras),
        letters=tuple(letters),
    )


def _image(parsed: UplinkTopic, topic: str, payload: bytes, received_at: datetime) -> Delivery:
    sha256 = parsed.sha256 or ""
    content_type = sniffed(payload)
    reason = None
    if len(payload) > MAX_MESSAGE_BYTES:
        reason = f"{len(payload)} bytes, at most {MAX_MESSAGE_BYTES} are allowed"
    elif hashlib.sha256(payload).hexdigest() != sha256:
        reason = "the bytes have another SHA-256 than the topic says"
    elif content_type is None:
        reason = "neither a JPEG nor a WebP picture"
    if reason is not None or content_type is None:
        letter = Letter(parsed.gateway, topic, Part.IMAGE, reason or "", payload)
        return Delivery(
            gateway=parsed.gateway,
            topic=topic,
            payload=payload,
            received_at=received_at,
            letters=(letter,),
            refused=sha256,
        )
    return Delivery(
        gateway=parsed.gateway,
        topic=topic,
        payload=payload,
        received_at=received_at,
        image=Image(sha256, content_type, payload),
    )


def sniffed(payload: bytes) -> str | None:
    """Return the media type that the first bytes show: JPEG (ISO 10918-1) or WebP (RFC 9649), else None."""
    if payload.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if payload[:4] == b"RIFF" and payload[8:12] == b"WEBP":
        return "image/webp"
    return None


def _unusable(
    gateway: str,
    topic: str,
    payload: bytes,
    received_at: datetime,
    reason: str,
    *,
    batch: UUID | None = None,
    refused: str | None = None,
) -> Delivery:
    return Delivery(
        gateway=gateway,
        topic=topic,
        payload=payload,
        received_at=received_at,
        letters=(Letter(gateway, topic, Part.MESSAGE, reason, payload, batch),),
        refused=refused or (str(batch) if batch else None),
    )


def _same_gateway(said: str, gateway: str, payload: bytes) -> None:
    if said != gateway:
        raise UndecodableMessageError(f"the message says gateway {said!r}, its topic {gateway!r}", payload)


def _batch_id(parsed: UplinkTopic, payload: bytes) -> UUID | None:
    """Return the id of a batch that cannot be decoded, where its beginning still shows one.

    A `Batch` carries its id before its records, and records carry ids of their own, so only what precedes them counts.
    """
    if parsed.kind is not Up.BATCH:
        return None
    found = _ID.search(payload.partition(b'"records"')[0])
    return UUID(found[1].decode()) if found else None


def _storable(payload: bytes, message: msgspec.Struct) -> None:
    reason = unstorable(msgspec.to_builtins(message)) if suspected(payload) else None
    if reason is not None:
        raise UndecodableMessageError(reason, payload)


def _parted(
    batch: Batch, extras: dict[int, dict[str, Any]]
) -> tuple[Batch, dict[int, dict[str, Any]], list[tuple[int, bytes, str]]]:
    """Part the records that cannot be stored from those that can: place, bytes and reason of each."""
    kept: list[Record] = []
    kept_extras: dict[int, dict[str, Any]] = {}
    unusable: list[tuple[int, bytes, str]] = []
    for index, record in enumerate(batch.records):
        reason = flaw(record, extras.get(index))
        if reason is not None:
            unusable.append((index, msgspec.json.encode(whole(record, extras.get(index))), reason))
            continue
        if index in extras:
            kept_extras[len(kept)] = extras[index]
        kept.append(record)
    return msgspec.structs.replace(batch, records=tuple(kept)), kept_extras, unusable
