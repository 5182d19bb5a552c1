"""Scanners in HID-POS mode: descriptors read and refused, scans joined whole or not at all."""

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.lines.hid_descriptor import Descriptor, read_descriptor
from drivers.scanner import codes
from drivers.scanner.framing import LONGEST
from drivers.scanner.hid_pos import SUGGESTED, Layout, Reports, layout_of
from protocol.errors import DeviceUnreachableError, UndecodableMessageError
from tests.simulators import hid_scanner as unit
from tests.simulators.hid_scanner import report, reports

LABEL = b"01069012345678921726113010A7-26"


def scans(reader: Reports, *said: bytes) -> list[bytes]:
    return [scan for each in said for scan in reader.feed(each)]


def test_the_layout_is_read_from_the_descriptor() -> None:
    described = layout_of(read_descriptor(unit.DESCRIPTOR))
    assert described == msgspec.structs.replace(SUGGESTED, others=frozenset({4}))
    assert layout_of(None) == SUGGESTED


def test_a_scanner_may_lay_its_reports_out_differently() -> None:
    # No report ids, the data before the flag, and no length: usages with their pages in four bytes.
    raw = "0b02008c00a101 150026ff007508 9508 0bfe008c00 8102 2501 7501 9501 0bff008c00 8102 7507 8101 c0"
    layout = layout_of(read_descriptor(bytes.fromhex(raw)))
    assert layout == Layout(size=9, data=0, capacity=8, continued=64)
    reader = Reports(layout)
    assert scans(reader, b"69012345\x01", b"67892\0\0\0\0") == [b"6901234567892"]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [(unit.KEYBOARD, "a keyboard"), (bytes.fromhex("05010902a1010901c0"), "something else")],
)
def test_another_device_is_told_from_a_scanner(raw: bytes, reason: str) -> None:
    with pytest.raises(DeviceUnreachableError, match=reason):
        layout_of(read_descriptor(raw))


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "of 0 bytes"),
        (b"\x05\x8c" * 3_000, "of 6000 bytes"),
        (unit.DESCRIPTOR[:-1], "no end"),
        (unit.DESCRIPTOR[:4] + b"\x26", "within an item"),
        (b"\xfe", "within an item"),
        (b"\xc0", "do not nest"),
        (b"\xa1\x01" * 9, "do not nest"),
        (b"\xb4", "empty"),
        (b"\xa4" * 9, "too deep"),
        (bytes.fromhex("77ffffffff97ffffffff8102"), "too long"),
        (bytes.fromhex("190529038102"), "range"),
        (bytes.fromhex("19002aff7f8102"), "range"),
        (bytes.fromhex("0901") * 1_100, "too many usages"),
    ],
)
def test_a_descriptor_that_makes_no_sense_is_refused(raw: bytes, reason: str) -> None:
    with pytest.raises(UndecodableMessageError, match=reason):
        read_descriptor(raw)


def test_a_usage_without_a_value_of_its_own_is_no_data() -> None:
    raw = bytes.fromhex("0b02008c00a101 7508 9501 0bff008c00 0bfe008c00 8102 c0")
    with pytest.raises(DeviceUnreachableError, match="no scanner in HID-POS mode"):
        layout_of(read_descriptor(raw))


def test_values_are_pushed_and_popped_and_long_items_passed_over() -> None:
    raw = bytes.fromhex("058ca1017508 9501 a4 9504 0902 8102 b4 fe02aa0102 0903 8102 c0")
    assert [(field.offset, field.count) for field in read_descriptor(raw).inputs] == [(0, 4), (32, 1)]


@given(st.binary(max_size=400))
def test_no_descriptor_does_more_than_be_refused(raw: bytes) -> None:
    with suppress(UndecodableMessageError, DeviceUnreachableError):
        assert isinstance(layout_of(read_descriptor(raw)), Layout)


@given(st.integers(0, len(unit.DESCRIPTOR) - 1), st.integers(0, 255))
def test_no_damage_to_a_descriptor_does_more(at: int, byte: int) -> None:
    raw = bytearray(unit.DESCRIPTOR)
    raw[at] = byte
    try:
        reader = Reports(layout_of(read_descriptor(bytes(raw))))
    except (UndecodableMessageError, DeviceUnreachableError):
        return
    scans(reader, *reports(LABEL, b"]C1"), bytes(64), b"")


@given(
    st.binary(min_size=1, max_size=600).filter(lambda scan: bool(scan.strip())), st.sampled_from([b"", b"]C1", b"]Q3"])
)
def test_what_is_scanned_comes_out_whole(scan: bytes, symbology: bytes) -> None:
    plain = bytes(0x21 + byte % 0x5E for byte in scan)
    expected = plain if plain.startswith(symbology) else symbology + plain
    assert scans(Reports(SUGGESTED), *reports(plain, symbology), *reports(b"next")) == [expected, b"next"]


@given(st.lists(st.binary(max_size=80), max_size=20))
def test_no_report_does_more_than_be_counted(said: list[bytes]) -> None:
    reader = Reports(SUGGESTED)
    for scan in scans(reader, *said):
        assert codes.read(scan).raw
        assert len(scan) <= LONGEST + 3
    reader.close()
    assert not reader.waits
    assert scans(reader, *reports(LABEL)) == [LABEL]


def test_the_identifier_is_told_once_and_only_if_it_is_one() -> None:
    reader = Reports(SUGGESTED)
    assert scans(reader, report(b"]C1" + LABEL, b"]C1"), report(b"690", b"\0\0\0"), report(b"690", b"E0\0")) == [
        b"]C1" + LABEL,
        b"690",
        b"690",
    ]
    assert codes.read(scans(reader, report(LABEL, b"]C1"))[0]).batch == "A7-26"


def test_line_ends_and_control_bytes_are_no_ends_of_a_scan() -> None:
    said = report(b"\x02one\r\ntwo\x1dthree\r\n", b"]Q1")
    assert scans(Reports(SUGGESTED), said, report(b"\r\n")) == [b"]Q1one two\x1dthree"]


@pytest.mark.parametrize(
    "wrong",
    [report(b"")[:63], b"\x02", b"", report(b"x", number=9), b"\x02\x39" + bytes(62)],
    ids=["short", "id alone", "nothing", "unknown id", "longer than it is"],
)
def test_a_code_with_a_hole_is_not_told(wrong: bytes) -> None:
    first, *rest = reports(b"6901234567892" * 10)
    reader = Reports(SUGGESTED)
    assert scans(reader, first, wrong, *rest) == []
    assert scans(reader, wrong, *rest) == []
    assert scans(reader, *reports(LABEL)) == [LABEL]
    assert reader.counts == {"scans_too_long": 0, "reports_refused": 2}


def test_other_reports_of_the_same_scanner_are_passed_over() -> None:
    first, *rest = reports(LABEL * 3)
    reader = Reports(layout_of(read_descriptor(unit.DESCRIPTOR)))
    assert scans(reader, first, b"\x04\x01", *rest) == [LABEL * 3]
    assert reader.counts["reports_refused"] == 0


def test_a_scan_that_never_ends_is_given_up() -> None:
    reader = Reports(SUGGESTED)
    assert scans(reader, *reports(b"9" * (LONGEST + 200)), *reports(LABEL)) == [LABEL]
    assert reader.counts["scans_too_long"] == 1
    first, *_ = reports(LABEL * 3)
    assert scans(reader, first) == []
    assert reader.waits
    assert list(reader.close()) == []
    assert scans(reader, *reports(LABEL)) == [LABEL]
    assert reader.counts["reports_refused"] == 1


def test_usages_in_bits_are_refused() -> None:
    raw = "058c0902a101 7501 9501 0903 8102 7508 9504 09fe 8102 9503 7501 8101 c0"
    descriptor = read_descriptor(bytes.fromhex(raw))
    assert isinstance(descriptor, Descriptor)
    with pytest.raises(DeviceUnreachableError, match="whole bytes"):
        layout_of(descriptor)
