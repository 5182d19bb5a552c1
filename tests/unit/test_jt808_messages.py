"""JT/T 808 on the wire: frames cut anywhere, both headers, locations to the last item, and what is no message."""

from contextlib import suppress
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.terminal.jt808.assembly import Assembly
from drivers.terminal.jt808.framing import Framer, framed
from drivers.terminal.jt808.location import Location, read_batch, read_location
from drivers.terminal.jt808.messages import (
    Message,
    Part,
    Registered,
    Result,
    Said,
    Speaker,
    read,
    read_answered,
    read_authentication,
    read_registration,
)
from protocol.datums import Datum, Place
from protocol.errors import UndecodableMessageError
from tests.simulators import jt808_terminal as terminal

PHONE = "13912345678"
AT = datetime(2026, 11, 24, 8, 0, 1, tzinfo=UTC)
# The example of JT/T 808-2013, section 4.4.2; its check byte, which the standard leaves out, is added.
EXAMPLE, FRAMED = (
    bytes.fromhex("307e087d55"),
    bytes.fromhex("7e307d02087d0155") + bytes((0x30 ^ 0x7E ^ 0x08 ^ 0x7D ^ 0x55,)) + b"~",
)


def message(body: bytes, number: int = Said.LOCATION, **about: object) -> Message:
    return Message(number, PHONE, 1, body, **about)  # type: ignore[arg-type]


def test_the_standards_own_example_travels_both_ways() -> None:
    assert framed(EXAMPLE) == FRAMED == terminal.enclosed(EXAMPLE)
    assert Framer().feed(FRAMED) == [EXAMPLE]


@given(st.lists(st.binary(min_size=12, max_size=1000), max_size=6), st.lists(st.integers(0, 4000), max_size=20))
def test_messages_survive_any_cut(messages: list[bytes], cuts: list[int]) -> None:
    stream, framer = b"".join(terminal.enclosed(each) for each in messages), Framer()
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    pieces = [stream[start:end] for start, end in pairwise(edges)]
    assert [each for piece in pieces for each in framer.feed(piece)] == messages
    assert framer.bad_checksum == framer.malformed == 0


def test_frames_that_share_a_delimiter_are_two() -> None:
    one, two = terminal.enclosed(b"first message"), terminal.enclosed(b"second message")
    assert Framer().feed(one + two[1:]) == [b"first message", b"second message"]


def test_what_is_no_frame_is_counted_and_the_next_one_read() -> None:
    framer, good = Framer(), terminal.enclosed(b"a good one")
    damaged = good.replace(b"o", b"0", 1)
    assert framer.feed(b"noise" + good + damaged + b"~a\x7d\x05b~" + good) == [b"a good one", b"a good one"]
    assert framer.bad_checksum == 2  # the noise has none either
    assert framer.malformed == 1


def test_an_endless_frame_is_given_up_and_never_kept() -> None:
    framer = Framer()
    for _ in range(1000):
        assert framer.feed(b"~" + b"x" * 1000) == []
        assert framer.feed(b"x" * 4096) == []
        assert len(framer._rest) <= 2 * 1045
    good = terminal.enclosed(b"a good one")
    assert framer.feed(good) == [b"a good one"]
    assert framer.malformed >= 1000


@given(st.binary(max_size=3000), st.integers(1, 500))
def test_no_bytes_hurt(stream: bytes, size: int) -> None:
    framer, assembly = Framer(), Assembly()
    for start in range(0, len(stream), size):
        for raw in framer.feed(stream[start : start + size]):
            understand(raw, assembly)


@given(st.binary(max_size=1100))
def test_no_message_hurts(raw: bytes) -> None:
    understand(raw, Assembly())


@given(st.binary(max_size=300), st.booleans())
def test_no_body_hurts(body: bytes, revised: bool) -> None:  # noqa: FBT001 - hypothesis'
    assembly = Assembly()
    for number in Said:
        year = 2019 if revised else 2013
        (raw,) = Framer().feed(terminal.frame(number, body, phone=PHONE, serial=1, year=year))
        understand(raw, assembly)


def understand(raw: bytes, assembly: Assembly) -> None:
    """Read a message in every way that there is: nothing but a refusal may be raised, and any other error fails."""
    try:
        whole = assembly.add(read(raw), 0.0)
    except UndecodableMessageError:
        return
    if whole is None:
        return
    for reading in (read_batch, read_registration, read_authentication, read_answered, read_place):
        with suppress(UndecodableMessageError):
            reading(whole)


def read_place(whole: Message) -> Location:
    return read_location(whole.body)


@pytest.mark.parametrize("year", [2013, 2019])
def test_both_headers_are_read(year: int) -> None:
    (raw,) = Framer().feed(terminal.frame(0x0002, b"", phone=PHONE, serial=0x7E7D, year=year))
    assert read(raw) == Message(0x0002, PHONE, 0x7E7D, b"", revised=year == 2019)
    (raw,) = Framer().feed(terminal.frame(0x0200, b"half", phone=PHONE, serial=9, year=year, part=(3, 2)))
    assert read(raw) == Message(0x0200, PHONE, 9, b"half", revised=year == 2019, part=Part(3, 2))


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"\x02\x00\x00", "shorter than its header"),
        (bytes.fromhex("0200 0001 013912345678 0001"), "0 bytes of body, 1 announced"),
        (bytes.fromhex("0200 0000 01391234567a 0001"), "telephone number"),
        (bytes.fromhex("0200 2000 013912345678 0001 0002 0003"), "sub-package 3 of 2"),
        (bytes.fromhex("0200 2000 013912345678 0001 0000 0000"), "sub-package 0 of 0"),
        (bytes.fromhex("0200 2000 013912345678 0001"), "shorter than its header"),
    ],
)
def test_a_header_that_is_none_says_why(raw: bytes, reason: str) -> None:
    with pytest.raises(UndecodableMessageError, match=reason):
        read(raw)


def test_a_location_is_read_with_its_units() -> None:
    items = (
        terminal.item(0x01, terminal.double(123_456))
        + terminal.item(0x02, terminal.word(405))
        + terminal.item(0x31, b"\x0c")
        + terminal.item(0xE1, b"\xca\xfe")
        + terminal.item(0x2A, b"")
    )
    found = read_location(terminal.location(AT, 24.5, 118.1, items=items))
    assert found.position("van-7", ("clock_off",)).flags == ("clock_off",)
    position = found.position("van-7", ())
    assert (position.at, position.latitude, position.longitude) == (AT, 24.5, 118.1)
    assert (position.altitude_m, position.course_deg, position.satellites) == (31.0, 90.0, 12)
    assert position.speed_mps == pytest.approx(36.1 / 3.6, abs=1e-3)
    assert found.values() == {
        "ignition": True,
        "mileage_km": 12345.6,
        "fuel_l": 40.5,
        "satellites": 12.0,
        "item_e1": "cafe",
        "item_2a": "",
    }


def test_south_west_below_the_sea_and_not_located() -> None:
    found = read_location(terminal.location(AT, -33.9, -70.5, status=0b00, altitude=-5, speed=0xFFFF))
    assert (found.latitude, found.longitude, found.altitude_m) == (-33.9, -70.5, -5)
    assert found.speed_mps is None
    assert not found.is_located
    assert read_location(terminal.location(AT, status=0b100011)).is_scrambled


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (terminal.location(AT)[:-1], "27 bytes"),
        (terminal.location(AT, latitude=90.1), "latitude 90100000"),
        (terminal.location(AT, longitude=180.1), "longitude 180100000"),
        (terminal.location(AT, course=361), "course 361"),
        (terminal.location(AT)[:22] + bytes.fromhex("261324080001"), "a time 261324080001"),
        (terminal.location(AT)[:22] + bytes.fromhex("2611240800fa"), "a time 2611240800fa"),
        (terminal.location(AT, items=b"\x01\x04\x00"), "an item of 4 bytes in 1"),
        (terminal.location(AT, items=b"\x01"), "an item of"),
    ],
)
def test_a_location_that_is_none_says_why(body: bytes, reason: str) -> None:
    with pytest.raises(UndecodableMessageError, match=reason):
        read_location(body)


def test_a_batch_is_read_whole_or_not_at_all() -> None:
    one, two = terminal.location(AT), terminal.location(AT, items=terminal.item(0x30, b"\x1f"))
    assert read_batch(message(terminal.batch(one, two))) == [read_location(one), read_location(two)]
    assert read_batch(message(terminal.batch())) == []
    for wrong in (terminal.batch(one)[:-1], terminal.batch(one) + b"\0", b"\0\2\1" + terminal.batch(one)[3:], b"\0"):
        with pytest.raises(UndecodableMessageError):
            read_batch(message(wrong))


@pytest.mark.parametrize("year", [2013, 2019])
def test_a_registration_is_read(year: int) -> None:
    body = terminal.registration("A1B2C3", plate="闽D·12345", year=year)
    registration = read_registration(message(body, Said.REGISTRATION, revised=year == 2019))
    assert (registration.maker, registration.model) == ("DWANG", "P-1")
    assert (registration.terminal, registration.plate) == ("A1B2C3", "闽D·12345")
    with pytest.raises(UndecodableMessageError, match="registration"):
        read_registration(message(body[:36], Said.REGISTRATION, revised=year == 2019))


@pytest.mark.parametrize("year", [2013, 2019])
def test_a_code_is_read(year: int) -> None:
    body = terminal.authentication("c0de", year=year)
    assert read_authentication(message(body, Said.AUTHENTICATION, revised=year == 2019)) == "c0de"


def test_what_we_say_is_framed_as_the_terminals_edition_has_it() -> None:
    old, new = Speaker(PHONE, revised=False), Speaker(PHONE, revised=True)
    assert old.answer(7, 0x0200, Result.DONE) == terminal.frame(
        0x8001, bytes.fromhex("0007020000"), phone=PHONE, serial=0
    )
    assert old.registered(8, Registered.DONE, "c0de") == terminal.frame(
        0x8100, bytes.fromhex("000800") + b"c0de", phone=PHONE, serial=1
    )
    assert new.time(AT) == terminal.frame(0x8004, bytes.fromhex("261124080001"), phone=PHONE, serial=0, year=2019)
    assert new.where_are_you() == (1, terminal.frame(0x8201, b"", phone=PHONE, serial=1, year=2019))
    for _ in range(65_534):
        new.where_are_you()
    assert new.where_are_you()[0] == 0


def parts(body: bytes, total: int, first_serial: int) -> list[Message]:
    size = -(-len(body) // total)
    return [
        Message(
            0x0704, PHONE, (first_serial + number) & 0xFFFF, body[number * size :][:size], part=Part(total, number + 1)
        )
        for number in range(total)
    ]


@given(st.permutations(range(5)), st.integers(0, 0xFFFF), st.binary(min_size=5, max_size=200))
def test_parts_make_the_message_in_any_order(order: list[int], first: int, body: bytes) -> None:
    assembly, pieces = Assembly(), parts(body, 5, first)
    taken = [assembly.add(pieces[index], 0.0) for index in order]
    assert taken[:-1] == [None] * 4
    assert taken[-1] is not None
    assert (taken[-1].body, taken[-1].part) == (body, None)


def test_parts_that_never_come_cost_little() -> None:
    assembly = Assembly()
    for first in range(0, 1000, 10):
        assert assembly.add(parts(b"0123456789", 5, first)[0], 0.0) is None
    assert len(assembly._gathering) == 4
    assert assembly.dropped == 96
    assert assembly.add(parts(b"0123456789", 5, 5000)[0], 121.0) is None
    assert (len(assembly._gathering), assembly.dropped) == (1, 100)
    assert assembly.add(Message(0x0704, PHONE, 1, b"", part=Part(65, 1)), 121.0) is None
    assert assembly.dropped == 101


def test_a_repeated_part_changes_nothing() -> None:
    assembly, pieces = Assembly(), parts(b"0123456789", 2, 1)
    assert assembly.add(pieces[0], 0.0) is None
    assert assembly.add(pieces[0], 1.0) is None
    whole = assembly.add(pieces[1], 2.0)
    assert whole is not None
    assert whole.body == b"0123456789"


def test_a_gcj02_place_becomes_wgs84_once_and_says_so() -> None:
    true = Place(31.30, 120.60)
    shifted = true.to(Datum.GCJ02)
    found = read_location(terminal.location(AT, shifted.latitude, shifted.longitude, status=0b100011))
    position = found.position("van-7", ("clock_off",), Datum.GCJ02)
    assert (position.latitude, position.longitude) == pytest.approx((31.30, 120.60), abs=1.1e-6)
    assert position.flags == ("clock_off", "from_gcj02")
    assert found.position("van-7", ("clock_off",), Datum.GCJ02) == position
    assert abs(found.longitude - shifted.longitude) < 1e-6
