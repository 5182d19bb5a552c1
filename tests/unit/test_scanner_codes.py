"""What scanned codes stand for, and where one scan ends."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.scanner.codes import read
from drivers.scanner.framing import LONGEST, Framer

MILK = "06901234567892"
"""A GTIN with a right check digit (GS1 General Specifications, 7.9)."""


def understood(scan: bytes) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(read(scan))
    return found


def test_a_gs1_128_label_gives_product_batch_dates_serial_and_weight() -> None:
    code = read(b"]C101" + MILK.encode() + b"11260901172712313103001250" + b"10A7-26\x1d21SN0042")
    assert (code.format, code.symbology, code.gtin) == ("gs1", "]C1", MILK)
    assert (code.batch, code.serial) == ("A7-26", "SN0042")
    assert (code.produced, code.expiry) == ("2026-09-01", "2027-12-31")
    assert code.net_weight_kg == 1.25
    assert code.elements["10"] == "A7-26"
    assert code.flaws == ()


@pytest.mark.parametrize(
    "scan",
    [
        b"]d201" + MILK.encode() + b"10A7",
        b"]Q3\x1d01" + MILK.encode() + b"10A7",
        b"01" + MILK.encode() + b"10A7",
        b"\x1d01" + MILK.encode() + b"10A7\x1d",
        b"(01)" + MILK.encode() + b"(10)A7",
        b"https://id.example.com/01/" + MILK.encode() + b"/10/A7",
        b"]Q1https://example.com/some/shop/01/6901234567892/10/A7?campaign=7",
    ],
)
def test_the_same_product_and_batch_however_they_are_written(scan: bytes) -> None:
    code = read(scan)
    assert (code.gtin, code.batch, code.flaws) == (MILK, "A7", ())


@pytest.mark.parametrize(
    ("digits", "gtin"),
    [("6901234567892", MILK), ("96385074", "00000096385074"), ("036000291452", "00036000291452"), (MILK, MILK)],
)
def test_ean_and_upc_numbers_have_fourteen_digits(digits: str, gtin: str) -> None:
    code = read(digits.encode())
    assert (code.format, code.gtin, code.flaws) == ("gtin", gtin, ())


def test_a_wrong_check_digit_is_kept_and_named() -> None:
    plain = read(b"6901234567893")
    assert (plain.gtin, plain.flaws) == ("06901234567893", ("gtin",))
    inside = read(b"]C101069012345678931" + b"0A7")
    assert (inside.gtin, inside.batch, inside.flaws) == ("06901234567893", "A7", ("gtin",))


def test_a_date_that_is_none_is_named_and_the_rest_is_read() -> None:
    code = read(b"]C101" + MILK.encode() + b"17260231" + b"10A7")
    assert (code.gtin, code.batch, code.expiry, code.flaws) == (MILK, "A7", None, ("expiry",))


def test_the_last_day_of_a_month_may_be_left_open() -> None:
    assert read(b"]C101" + MILK.encode() + b"17280200").expiry == "2028-02-29"


@pytest.mark.parametrize(
    "scan",
    ["追溯码 A7".encode(), b"81123456789012345678", b"https://example.com/about", b"]C1not gs1", b"JY23502030023854"],
)
def test_what_is_no_gs1_code_is_text(scan: bytes) -> None:
    code = read(scan)
    assert (code.format, code.gtin) == ("text", None)
    assert code.flaws == (("gs1",) if scan.startswith(b"]C1") else ())


def test_chinese_in_either_encoding_is_read() -> None:
    assert read("厦门集美".encode("gb18030")).raw == read("厦门集美".encode()).raw == "厦门集美"
    assert read(b"\xff\xff").flaws == ("encoding",)


def test_a_logistic_unit_is_known_by_its_number() -> None:
    assert read(b"376130321109103420").sscc == "376130321109103420"
    assert read(b"376130321109103421").format == "text"
    assert read(b"]C100376130321109103420").sscc == "376130321109103420"


@given(
    st.one_of(st.binary(max_size=200), st.from_regex(rb"\][A-Za-z][0-9A-Za-z]?[0-9\x1d()A-Z]{0,80}", fullmatch=True))
)
def test_nothing_that_can_be_scanned_breaks_it(scan: bytes) -> None:
    assert set(understood(scan)) >= {"raw", "format"}


@given(
    st.from_regex(
        rb"\]C1(?:(?:0[0-4]|1[0-7]|2[0-9]|31[0-9]{2}|39[0-9]{2}|4[0-3][0-9]|70[0-9]{2}|80[0-9]{2})[0-9]{0,20}\x1d?){1,4}"
    )
)
def test_no_sequence_of_application_identifiers_breaks_it(scan: bytes) -> None:
    assert understood(scan)["format"] in {"gs1", "text"}


def scans(*pieces: bytes) -> list[bytes]:
    framer = Framer()
    found = [scan for piece in pieces for scan in framer.feed(piece)]
    return found + list(framer.close())


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"one\rtwo\r\nthree\n", [b"one", b"two", b"three"]),
        (b"\x02one\x03\x02two\x03", [b"one", b"two"]),
        (b"cut off\x02two\x03", [b"cut off", b"two"]),
        (b"\r\n\r\n", []),
        (b"no end", [b"no end"]),
        (b"10A7\x1d21S\x00\x07\r", [b"10A7\x1d21S"]),
    ],
)
def test_scans_end_where_scanners_end_them_in_any_pieces(stream: bytes, expected: list[bytes]) -> None:
    assert scans(stream) == expected
    assert scans(*(stream[index : index + 1] for index in range(len(stream)))) == expected


def test_a_line_without_an_end_is_dropped_and_counted_not_gathered_for_ever() -> None:
    framer = Framer()
    assert list(framer.feed(b"x" * (LONGEST + 1) + b"y" * 10_000)) == []
    assert framer.too_long == 1
    assert list(framer.feed(b"\rnext\r")) == [b"next"]
    assert list(framer.feed(b"x" * LONGEST + b"\r")) == [b"x" * LONGEST]


@given(st.lists(st.binary(max_size=30), max_size=10))
def test_pieces_do_not_change_what_is_scanned(pieces: list[bytes]) -> None:
    assert scans(*pieces) == scans(b"".join(pieces))
