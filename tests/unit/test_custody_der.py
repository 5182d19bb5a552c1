"""Certificates of a stamp are put in order, whatever else the bytes are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.custody.der import in_order


def tlv(tag: int, *content: bytes) -> bytes:
    body = b"".join(content)
    length = bytes([len(body)]) if len(body) < 128 else b"\x82" + len(body).to_bytes(2, "big")
    return bytes([tag]) + length + body


def response(*certificates: bytes, tag: int = 0xA0) -> bytes:
    signed = tlv(0x30, tlv(2, b"\3"), tlv(0x31), tlv(0x30), tlv(tag, *certificates), tlv(0x31))
    return tlv(0x30, tlv(0x30, tlv(2, b"\0")), tlv(0x30, tlv(6, b"*"), tlv(0xA0, signed)))


LONG, SHORT = tlv(0x30, b"z" * 300), tlv(0x30, b"a")


def test_they_are_sorted_and_nothing_else_is_touched() -> None:
    assert in_order(response(LONG, SHORT)) == response(SHORT, LONG)
    assert in_order(response(SHORT, LONG)) == response(SHORT, LONG)


def test_without_certificates_it_is_left_alone() -> None:
    refused = tlv(0x30, tlv(0x30, tlv(2, b"\2")))
    for left in (refused, response(LONG, SHORT, tag=0x31)):
        assert in_order(left) == left


@given(st.binary(max_size=60))
def test_anything_else_is_returned_or_refused(payload: bytes) -> None:
    try:
        assert sorted(in_order(payload)) == sorted(payload)
    except ValueError:
        assert payload != response(LONG, SHORT)


@pytest.mark.parametrize("cut", range(1, len(response(LONG, SHORT)), 7))
def test_what_is_cut_off_is_refused(cut: int) -> None:
    with pytest.raises(ValueError, match=r"encoding|length|element"):
        in_order(response(LONG, SHORT)[:-cut])
