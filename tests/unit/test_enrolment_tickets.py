"""Codes and tickets: what is written is read back, whatever people do to it; anything else is refused."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.enrolment import Ticket, check_digits, grouped, new_code, read_code, read_ticket
from protocol.errors import UndecodableMessageError

PRINT = "0123456789abcdef" * 4


def test_codes_have_80_bits_and_are_never_the_same() -> None:
    codes = {new_code() for _ in range(2_000)}
    assert len(codes) == 2_000
    assert all(re.fullmatch("[0-9A-HJKMNP-TV-Z]{16}", code) for code in codes)
    assert {code[0] for code in codes} == set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")


def test_a_code_is_read_as_people_type_it() -> None:
    assert grouped("0123456789ABCDEF") == "0123-4567-89AB-CDEF"
    for typed in ("0123-4567-89AB-CDEF", " o123 4567 89ab cdef ", "OI23-4567-89ab-CDEF", "0l23456789ABCDEF"):
        assert read_code(typed) == "0123456789ABCDEF"


@pytest.mark.parametrize("text", ["", "0123", "0123456789ABCDEFG", "0123456789ABCDEU", "0123456789ABCDE!", "０" * 16])
def test_what_is_no_code(text: str) -> None:
    with pytest.raises(UndecodableMessageError) as failure:
        read_code(text)
    assert not text or text not in str(failure.value)


@pytest.mark.parametrize(
    "door", ["https://hub.example:8443", "https://10.1.0.5", "https://[fd00::5]:8443", "http://127.0.0.1:8080"]
)
def test_a_ticket_is_read_back(door: str) -> None:
    ticket = Ticket(door, new_code(), PRINT)
    assert read_ticket(str(ticket)) == ticket
    assert read_ticket(f" {str(ticket).removeprefix('gw1:')}\n") == ticket
    assert ticket.code not in repr(ticket)


GOOD = f"gw1:https://hub:8443/e/0123456789ABCDEF#{PRINT}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("https://", "http://"),
        ("https://hub", "https://me:word@hub"),
        ("gw1:https://", "gw2:https://"),
        ("hub:8443", ""),
        ("hub:8443", "hub:99999"),
        ("hub:8443", "[hub"),
        ("/e/", "/f/"),
        ("/e/", "/e/e/"),
        ("0123456789ABCDEF#", "0123#"),
        (PRINT, PRINT[1:]),
        (f"#{PRINT}", ""),
        ("/e/", "/e/?x=" + "1" * 600),
    ],
)
def test_what_is_no_ticket(before: str, after: str) -> None:
    assert before in GOOD
    with pytest.raises(UndecodableMessageError):
        read_ticket(GOOD.replace(before, after, 1))


@given(st.text(max_size=300))
def test_no_text_breaks_the_reader(text: str) -> None:
    for each in (text, "gw1:" + text, f"https://{text}/e/0123456789ABCDEF#{PRINT}"):
        try:
            ticket = read_ticket(each)
        except UndecodableMessageError:
            continue
        assert read_ticket(str(ticket)) == ticket


def test_the_check_digits_depend_on_code_and_key() -> None:
    digits = check_digits("0123456789ABCDEF", b"a key")
    assert re.fullmatch(r"\d{6}", digits)
    assert digits == check_digits("0123456789ABCDEF", b"a key")
    others = {check_digits("0123456789ABCDEG", b"a key"), check_digits("0123456789ABCDEF", b"another key")}
    assert digits not in others
