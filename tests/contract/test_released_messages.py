"""Every example that was ever released must still be read, and mean the same."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

import protocol
from protocol import codec
from protocol.documents import Checklist, Signature, Verdict, decode_document
from protocol.messages import Event, Position, Reading, Receipt

RELEASED = sorted((Path(protocol.__file__).parent / "schemas").glob("v*/*.json"))
AT = datetime(2026, 11, 24, 8, tzinfo=UTC)
READERS: dict[str, Callable[[bytes], Any]] = {
    "state": codec.decode_state,
    "batch": codec.decode_batch,
    "ack": codec.decode_ack,
    "command": codec.decode_command,
    "reply": codec.decode_reply,
    "document": decode_document,
}


def example(name: str) -> bytes:
    return (Path(protocol.__file__).parent / "schemas" / "v1" / f"{name}.json").read_bytes()


def test_there_are_examples_of_every_message() -> None:
    assert {path.stem.split("-")[0] for path in RELEASED} == set(READERS)


@pytest.mark.parametrize("path", RELEASED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_released_message_is_read(path: Path) -> None:
    read = READERS[path.stem.split("-")[0]](path.read_bytes())
    message = read.batch if isinstance(read, codec.DecodedBatch) else read
    said, again = json.loads(path.read_bytes()), json.loads(codec.encode(message))
    for key in ("id", "gateway", "epoch", "seq", "online", "name", "result"):
        assert said.get(key) == again.get(key), key


def test_a_whole_batch_means_what_it_says() -> None:
    decoded = codec.decode_batch(example("batch"))
    reading, position, event, receipt = decoded.batch.records
    assert isinstance(reading, Reading)
    assert reading.values == {"temperature_c": 4.5, "door_open": False, "mode": "auto"}
    assert isinstance(position, Position)
    assert (position.latitude, position.sigma_m, position.flags) == (24.5701, 3.6, ("date_rollover",))
    assert isinstance(event, Event)
    assert event.clip is not None
    assert event.clip.since < event.at < event.clip.until
    assert isinstance(receipt, Receipt)
    assert receipt.job == "log-2026-00017"
    assert not decoded.refused
    assert not decoded.extras


def test_a_document_means_what_it_says() -> None:
    document = decode_document(example("document"))
    assert (document.type, document.language, document.log) == ("record", "zh", "log-2026-00017")
    kinds = [json.loads(msgspec.json.encode(block))["kind"] for block in document.blocks]
    assert kinds == [
        "title",
        "table",
        "title",
        "checklist",
        "paragraph",
        "spacer",
        "signature",
        "signature",
        "line",
        "qr",
    ]
    checklist = next(block for block in document.blocks if isinstance(block, Checklist))
    assert [item.verdict for item in checklist.items] == list(Verdict)
    assert checklist.items[1].key
    assert [block.image is None for block in document.blocks if isinstance(block, Signature)] == [True, False]


def test_another_offset_is_the_same_instant() -> None:
    record = codec.decode_batch(example("batch-least")).batch.records[0]
    assert codec.in_utc(record.at) == AT
    assert codec.in_utc(record.at).utcoffset() == AT.utcoffset()


def test_what_a_later_version_adds_is_kept() -> None:
    decoded = codec.decode_batch(example("batch-of-a-later-version"))
    assert decoded.extra == {"compressed": False}
    assert decoded.extras == {0: {"quality": "good"}, 1: {"clip": {"codec": "h264"}}}
    assert [refused.index for refused in decoded.refused] == [2]
    assert msgspec.json.decode(decoded.refused[0].payload)["kind"] == "hologram"
