"""What is printed: every document survives the wire, and what is no whole document of this version is refused."""

import base64
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from protocol.documents import (
    MAX_BLOCKS,
    MAX_CHARACTERS,
    MAX_QR_BYTES,
    Document,
    DocumentType,
    Paragraph,
    Qr,
    Rule,
    decode_document,
    decode_order,
)
from protocol.errors import UndecodableMessageError
from tests.simulators import tickets


@settings(max_examples=60, deadline=None)
@given(document=tickets.documents())
def test_every_document_survives_the_wire(document: Document) -> None:
    assert decode_document(msgspec.json.encode(document)) == document
    args = msgspec.json.decode(msgspec.json.encode({"document": document, "copies": 2}))
    order = decode_order(args)
    assert (order.document, order.copies) == (document, 2)


def test_a_record_survives_the_wire() -> None:
    document = tickets.record()
    assert decode_document(msgspec.json.encode(document)) == document


def refusal(document: dict[str, Any], **others: Any) -> str:
    with pytest.raises(UndecodableMessageError) as refused:
        decode_order({"document": document, **others})
    with pytest.raises(UndecodableMessageError):
        decode_document(msgspec.json.encode(document) if not others else b"{")
    return refused.value.reason


LINE = {"kind": "line"}
TABLE = {"kind": "table", "columns": [{}, {}], "rows": [["a", "b"], ["c"]]}


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({}, "blocks"),
        ({"blocks": []}, "length >= 1"),
        ({"blocks": [LINE] * (MAX_BLOCKS + 1)}, f"length <= {MAX_BLOCKS}"),
        ({"blocks": [{"kind": "hologram"}]}, "hologram"),
        ({"blocks": [LINE | {"glow": True}]}, "glow"),
        ({"blocks": [LINE], "watermark": "x"}, "watermark"),
        ({"blocks": [LINE], "language": "fr"}, "fr"),
        ({"blocks": [{"kind": "title", "text": "two\nlines"}]}, "regex"),
        ({"blocks": [{"kind": "title", "text": "ends\n"}]}, "regex"),
        ({"blocks": [{"kind": "title", "text": "a", "level": 3}]}, "3"),
        ({"blocks": [{"kind": "paragraph", "text": "bell \x07"}]}, "regex"),
        ({"blocks": [{"kind": "paragraph", "text": "c1 \x85"}]}, "regex"),
        ({"blocks": [{"kind": "paragraph", "text": "x" * 4097}]}, "length <= 4096"),
        ({"blocks": [TABLE]}, "row 1 has 1 cells for 2 columns"),
        ({"blocks": [{"kind": "checklist", "items": [{"item": "a", "verdict": "perhaps"}]}]}, "perhaps"),
        ({"blocks": [{"kind": "qr", "text": "检" * 134}]}, f"at most {MAX_QR_BYTES}"),
        ({"blocks": [{"kind": "spacer", "millimetres": 51}]}, "<= 50"),
        ({"blocks": [{"kind": "signature", "label": "x", "image": "!"}]}, "base64"),
        ({"blocks": [LINE], "type": "record"}, "names the `log`"),
        ({"blocks": [LINE], "log": "log-1"}, "verifies its log 'log-1'"),
        ({"blocks": [{"kind": "qr", "text": "https://hub.example/log-2"}], "log": "log-1"}, "verifies its log"),
        ({"blocks": [LINE], "log": "log 1"}, "regex"),
    ],
)
def test_what_is_no_document_is_refused_by_name(document: dict[str, Any], reason: str) -> None:
    assert reason in refusal(document)


def png(width: int, height: int, kind: bytes = b"\x01\x00\x00\x00\x00") -> str:
    head = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + kind
    return base64.b64encode(head + bytes(10)).decode()


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (base64.b64encode(b"GIF89a" + bytes(60)).decode(), "a PNG"),
        (png(100, 100, b"\x08\x02\x00\x00\x00"), "1-bit grey"),
        (png(100, 100, b"\x01\x00\x00\x00\x01"), None),
        (png(0, 100), "0 x 100 dots"),
        (png(1_201, 100), "1201 x 100 dots"),
        (png(100, 2**31), "dots"),
    ],
)
def test_signatures_are_bounded_before_anybody_draws_them(image: str, reason: str | None) -> None:
    document = {"blocks": [{"kind": "signature", "label": "x", "image": image}]}
    if reason is None:
        assert decode_order({"document": document}).copies == 1
    else:
        assert reason in refusal(document)


def test_a_document_is_bounded_as_a_whole() -> None:
    half = {"kind": "paragraph", "text": "字" * 4_000}
    assert decode_order({"document": {"blocks": [half] * 5}})
    assert f"at most {MAX_CHARACTERS}" in refusal({"blocks": [half] * 5 + [LINE | {"kind": "title", "text": "字"}]})
    assert "at most" in refusal({"blocks": [{"kind": "paragraph", "text": "\n" * 1_300}]})


@pytest.mark.parametrize("copies", [0, 6, "1", None])
def test_copies_are_few(copies: object) -> None:
    assert "copies" in refusal({"blocks": [LINE]}, copies=copies)


def test_half_of_a_character_is_refused() -> None:
    document = {"blocks": [{"kind": "checklist", "items": [{"item": "\ud800", "verdict": "conform"}]}]}
    with pytest.raises(UndecodableMessageError, match="half of a character"):
        decode_order({"document": document})


def test_bytes_that_are_no_json_are_refused() -> None:
    for payload in (b"", b"\xff", b'{"blocks":', b"[" * 100_000, b" " * (512 * 1024 + 1)):
        with pytest.raises(UndecodableMessageError):
            decode_document(payload)


def test_a_record_cannot_even_be_made_without_its_log_and_a_code_that_verifies_it() -> None:
    code = Qr(text=tickets.VERIFIED_AT)
    with pytest.raises(ValueError, match="names the `log`"):
        Document(type=DocumentType.RECORD, blocks=(code,))
    with pytest.raises(ValueError, match="verifies its log"):
        Document(type=DocumentType.RECORD, log=tickets.LOG, blocks=(Rule(), Paragraph(text=tickets.LOG)))
    assert Document(type=DocumentType.RECORD, log=tickets.LOG, blocks=(code,))
