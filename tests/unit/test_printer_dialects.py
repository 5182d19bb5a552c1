"""Printers' languages: what comes out is what was laid out, dot for dot, and nothing else is understood."""

import random
from functools import cache

import msgspec
import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from drivers.printer.contract import Bitmap, Condition, Dialect, PrinterStatus, Query, Ticket
from drivers.printer.dialects import dialect_of
from drivers.printer.layout import lay_out
from firmware_configs.printers import PRINTERS, Answer, Printer
from protocol.errors import UndecodableMessageError
from tests.simulators import tickets
from tests.simulators.paper import Paper, UnreadableError, as_printed

ANSWERS: tuple[Answer, ...] = ("status", "completion", "announcements")


def speaking(dialect: str, width: int, **others: object) -> Printer:
    """Return a printer that can be asked everything that its language has."""
    answers = ANSWERS if dialect == "escpos" else ANSWERS[:2]
    told = {"maker": "x", "model": "x", "summary": "x", "sources": ["x"], "paper_mm": 112, "tcp_port": 9100}
    return msgspec.convert({**told, "dialect": dialect, "width": width, "answers": answers, **others}, Printer)


LANGUAGES = {
    "escpos": speaking("escpos", 384),
    "escpos-80-cutter": speaking("escpos", 576, cutter=True),
    "escpos-300": speaking("escpos", 576, dpi=300),
    **{f"{dialect}-{width}": speaking(dialect, width) for dialect in ("tspl", "cpcl", "zpl") for width in (384, 576)},
}
ONE_EACH = ("escpos", "tspl-384", "cpcl-384", "zpl-384")


def paper_for(printer: Printer) -> Paper:
    return Paper(printer.dialect, printer.width, dpi=printer.dpi)


@cache
def laid_out(sample: str, width: int, dots_per_mm: int = 8) -> Bitmap:
    return lay_out(tickets.SAMPLES[sample](), tickets.fonts(), width=width, dots_per_mm=dots_per_mm).picture


@cache
def ticket(language: str, sample: str = "record") -> tuple[Bitmap, Ticket]:
    printer = LANGUAGES[language]
    picture = laid_out(sample, printer.width, printer.dots_per_mm)
    return picture, dialect_of(printer).encode(picture)


def printed(language: str, *payloads: bytes) -> Bitmap:
    paper = paper_for(LANGUAGES[language])
    for payload in payloads:
        paper.feed(payload)
    paper.close()
    return paper.picture()


@pytest.mark.parametrize("sample", tickets.SAMPLES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_paper_shows_what_was_laid_out(language: str, sample: str) -> None:
    picture, made = ticket(language, sample)
    assert printed(language, made.from_band()) == as_printed(picture, made)
    assert (made.width, made.height) == (picture.width, picture.height)


@pytest.mark.parametrize("language", LANGUAGES)
def test_bands_are_the_whole_picture_in_order(language: str) -> None:
    picture, made = ticket(language)
    first = 0
    for band in made.bands:
        assert band.first_row == first
        assert band.rows > 0
        first += band.rows
    assert first == picture.height


@pytest.mark.parametrize("language", ONE_EACH)
def test_the_code_on_paper_verifies_the_log(language: str) -> None:
    paper = printed(language, ticket(language)[1].from_band())
    image = Image.frombytes("1", (paper.width, paper.height), bytes(0xFF - byte for byte in paper.rows))
    (code,) = zxingcpp.read_barcodes(image)
    assert code.text == tickets.VERIFIED_AT


@pytest.mark.parametrize("language", ONE_EACH)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_picture_comes_out_as_it_went_in(language: str, data: st.DataObject) -> None:
    """Rows of every kind: white, black, repeated, ending in white or black, and noise."""
    printer = LANGUAGES[language]
    stride = printer.width // 8
    noise = st.binary(min_size=stride, max_size=stride)
    ends = st.binary(min_size=1, max_size=stride).map(lambda left: left.ljust(stride, b"\xff"))
    row = st.one_of(st.just(bytes(stride)), st.just(b"\xff" * stride), noise, ends, ends.map(lambda row: row[::-1]))
    runs = data.draw(st.lists(st.tuples(row, st.integers(1, 300)), min_size=1, max_size=6))
    rows = b"".join(row * times for row, times in runs)
    picture = Bitmap(printer.width, len(rows) // stride, rows)
    made = dialect_of(printer).encode(picture)
    assert printed(language, made.from_band()) == as_printed(picture, made)


@pytest.mark.parametrize("language", ONE_EACH)
def test_bytes_may_come_in_any_pieces(language: str) -> None:
    picture, made = ticket(language)
    payload, chance = made.from_band(), random.Random(7)
    pieces, at = [], 0
    while at < len(payload):
        step = chance.choice((1, 2, 20, 182, 509))
        pieces.append(payload[at : at + step])
        at += step
    assert printed(language, *pieces) == as_printed(picture, made)


@pytest.mark.parametrize("language", ONE_EACH)
def test_one_lost_byte_is_always_seen(language: str) -> None:
    """At 200 places: the paper is another, or the printer does not understand, or it still waits for more."""
    picture, made = ticket(language)
    payload, whole = made.from_band(), as_printed(picture, made)
    for at in random.Random(1).sample(range(len(payload)), 200):
        try:
            assert printed(language, payload[:at] + payload[at + 1 :]) != whole, at
        except UnreadableError:
            continue


@pytest.mark.parametrize("language", ONE_EACH)
def test_a_ticket_that_ends_early_is_not_whole(language: str) -> None:
    picture, made = ticket(language)
    payload, whole = made.from_band(), as_printed(picture, made)
    for tenth in range(10):
        try:
            assert printed(language, payload[: len(payload) * tenth // 10]) != whole
        except UnreadableError as cut:
            assert "cut off" in str(cut)  # noqa: PT017 - either may be


def test_a_ticket_goes_on_from_any_band() -> None:
    picture, made = ticket("escpos")
    for index, band in enumerate(made.bands):
        rest = Bitmap(picture.width, picture.height - band.first_row, picture.rows[band.first_row * picture.stride :])
        assert printed("escpos", made.from_band(index)) == as_printed(rest, made)


@pytest.mark.parametrize("language", ONE_EACH[1:])
def test_a_page_goes_on_from_nowhere(language: str) -> None:
    with pytest.raises(ValueError, match="whole or not at all"):
        ticket(language)[1].from_band(1)


def test_white_paper_is_fed_and_not_sent() -> None:
    _, made = ticket("escpos", "black")
    assert len(made.from_band()) < made.width // 8 * (made.height - 350)


def test_a_cutter_cuts_once_at_the_end() -> None:
    picture, made = ticket("escpos-80-cutter")
    paper = paper_for(LANGUAGES["escpos-80-cutter"])
    paper.feed(made.from_band())
    assert paper.cuts == [picture.height + made.feed_rows]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_picture_for_another_head_is_a_mistake(language: str) -> None:
    dialect = dialect_of(LANGUAGES[language])
    for picture in (Bitmap(8, 1, b"\xff"), Bitmap(dialect.width, 0, b"")):
        with pytest.raises(ValueError, match="for a head of"):
            dialect.encode(picture)


@pytest.mark.parametrize("language", ONE_EACH)
def test_a_printer_that_was_cut_off_is_freed(language: str) -> None:
    """Wherever the link broke: after the recovery the next ticket comes out whole, and nothing but white before it."""
    picture, made = ticket(language)
    payload, whole = made.from_band(), as_printed(picture, made)
    chance = random.Random(3)
    places = [*chance.sample(range(len(made.preamble) + 12), 12), *chance.sample(range(len(payload)), 12), len(payload)]
    for at in places:
        paper = paper_for(LANGUAGES[language])
        paper.feed(payload[:at])
        before = paper.height
        paper.interrupt()
        paper.feed(made.recovery)
        burnt = paper.picture().rows[before * picture.stride :]
        assert len(burnt) <= 64 * picture.stride
        after = paper.height
        paper.feed(payload)
        paper.close()
        assert paper.picture().rows[after * picture.stride :] == whole.rows, at


@pytest.mark.parametrize("language", ONE_EACH[1:])
def test_without_recovery_a_printer_takes_the_next_ticket_for_the_rest(language: str) -> None:
    _, made = ticket(language)
    payload = made.from_band()
    paper = paper_for(LANGUAGES[language])
    paper.feed(payload[: len(payload) // 2])
    paper.interrupt()
    paper.feed(payload)
    assert paper.height == 0
    with pytest.raises(UnreadableError, match="cut off"):
        paper.close()


@pytest.mark.parametrize(
    ("language", "payload"),
    [
        ("escpos", b"\x00"),
        ("escpos", b"text"),
        ("escpos", b"\x1b@\x1bJ\x10"),
        ("escpos", b"\x1b@\x1dP\xcb\xb4"),
        ("escpos", b"\x1b@\x1dv0\x00\x31\x00\x01\x00"),
        ("escpos", b"\x1b@\x1dv0\x01\x30\x00\x01\x00"),
        ("escpos", b"\x1dv0\x00\x30\x00\x01\x00"),
        ("escpos", b"\x1b@\x1dVA\x00"),
        ("escpos", b"\x10\x04\x05"),
        ("tspl-384", b"\r\n"),
        ("tspl-384", b"SIZE 50 mm,10 mm\r\n"),
        ("tspl-384", b"SIZE 48 mm,10.03 mm\r\n"),
        ("tspl-384", b"SIZE 48 mm,10 mm\r\nCLS\r\n"),
        ("tspl-384", b"\x1b!R"),
        ("cpcl-384", b"! 0 203 203 100 1\r\n"),
        ("cpcl-384", b"! 0 200 200 100 1\r\nPAGE-WIDTH 400\r\n"),
        ("cpcl-384", b"\x1bv"),
        ("cpcl-384", b"ABORT\r\n"),
        ("zpl-384", b"^XA^MNM^PON^LH0,0^LS0^LT0^PW"),
        ("zpl-384", b"~JA"),
        ("zpl-384", b"^XA^MNN^PON^LH0,0^LS0^LT0^PW384^LL100^FO0,0^GFA,48,48,48,G^FS^"),
        ("zpl-384", b"^XA^MNN^PON^LH0,0^LS0^LT0^PW384^LL100^FO0,0^GFA,48,48,48,:^FS^"),
    ],
)
def test_paper_takes_nothing_that_a_printer_would_not(language: str, payload: bytes) -> None:
    paper = paper_for(LANGUAGES[language])
    with pytest.raises(UnreadableError):
        paper.feed(payload)


# Status


def query(language: str, kind: str) -> Query:
    dialect: Dialect = dialect_of(LANGUAGES[language])
    found = {
        "status": dialect.status_query, "completion": dialect.completion_query, "announcements": dialect.announcements
    }[kind]  # fmt: skip
    assert found is not None
    return found


HS = (
    "\x02030,{out},{pause},1245,{formats:03},0,0,{partial},000,0,{cold},{hot}\x03\r\n"
    "\x02000,0,{up},{ribbon},0,2,4,0,{left:08},1,000\x03\r\n"
    "\x020000,0\x03\r\n"
)


def host_status(**values: int) -> bytes:
    none = dict.fromkeys(("out", "pause", "formats", "partial", "cold", "hot", "up", "ribbon", "left"), 0)
    return HS.format(**(none | values)).encode()


@pytest.mark.parametrize(
    ("language", "kind", "answer", "conditions"),
    [
        ("escpos", "status", b"\x12\x12\x12\x12", set()),
        ("escpos", "status", b"\x1a\x16\x12\x12", {Condition.OFFLINE, Condition.COVER_OPEN}),
        ("escpos", "status", b"\x1a\x32\x12\x72", {Condition.OFFLINE, Condition.PAPER_OUT}),
        ("escpos", "status", b"\x12\x12\x12\x1e", {Condition.PAPER_NEAR_END}),
        ("escpos", "status", b"\x1a\x52\x52\x12", {Condition.OFFLINE, Condition.OVERHEATED}),
        ("escpos", "status", b"\x1a\x52\x1a\x12", {Condition.OFFLINE, Condition.PAPER_JAM}),
        ("escpos", "status", b"\x1a\x52\x32\x12", {Condition.OFFLINE, Condition.FAULT}),
        ("escpos", "status", b"\x12\x14\x00\x00\x0f\x12\x12\x12", set()),
        ("escpos", "completion", b"\x00", set()),
        ("escpos", "completion", b"\x0c", {Condition.PAPER_OUT}),
        ("escpos", "completion", b"\x03", {Condition.PAPER_NEAR_END}),
        ("escpos", "completion", b"\x10\x00\x00\x00\x00", set()),
        ("escpos", "announcements", b"\x10\x00\x00\x00", set()),
        ("escpos", "announcements", b"\x30\x00\x0c\x00", {Condition.COVER_OPEN, Condition.PAPER_OUT}),
        ("escpos", "announcements", b"\x12\x38\x40\x00\x00\x10\x00\x03\x00", {Condition.PAPER_NEAR_END}),
        ("tspl-384", "status", b"\x00", set()),
        ("tspl-384", "status", b"\x05", {Condition.COVER_OPEN, Condition.PAPER_OUT}),
        ("tspl-384", "status", b"\x0a", {Condition.PAPER_JAM, Condition.RIBBON_OUT}),
        ("tspl-384", "completion", b"\x20\x10", {Condition.PAUSED}),
        ("tspl-384", "completion", b"\x20", {Condition.BUSY}),
        ("tspl-384", "status", b"\x80", {Condition.FAULT}),
        ("cpcl-384", "status", b"\x00", set()),
        ("cpcl-384", "status", b"\x10", set()),
        ("cpcl-384", "status", b"\x0e", {Condition.PAPER_OUT, Condition.COVER_OPEN, Condition.LOW_BATTERY}),
        ("cpcl-384", "completion", b"\x01", {Condition.BUSY}),
        ("zpl-384", "status", host_status(), set()),
        ("zpl-384", "status", host_status(out=1, up=1), {Condition.PAPER_OUT, Condition.COVER_OPEN}),
        ("zpl-384", "status", host_status(hot=1), {Condition.OVERHEATED}),
        ("zpl-384", "status", host_status(cold=1, ribbon=1), {Condition.TOO_COLD, Condition.RIBBON_OUT}),
        ("zpl-384", "status", host_status(pause=1), {Condition.PAUSED}),
        ("zpl-384", "completion", host_status(formats=1), {Condition.BUSY}),
        ("zpl-384", "completion", host_status(partial=1), {Condition.BUSY}),
        ("zpl-384", "completion", host_status(left=2), {Condition.BUSY}),
    ],
)  # fmt: skip
def test_what_a_printer_says_is_understood(language: str, kind: str, answer: bytes, conditions: set[Condition]) -> None:
    decode = query(language, kind).decode
    assert decode(answer) == PrinterStatus(frozenset(conditions))
    assert decode(b"") is None


@pytest.mark.parametrize(
    ("language", "kind", "answer"),
    [
        ("escpos", "status", b"\x12\x12\x12"),
        ("escpos", "status", b"\x12\x10\x00"),
        ("escpos", "completion", b"\x10\x00\x00"),
        ("escpos", "announcements", b"\x10\x00\x00"),
        ("zpl-384", "status", host_status()[:-1]),
        ("zpl-384", "status", host_status()[:40]),
    ],
)
def test_half_an_answer_is_waited_for(language: str, kind: str, answer: bytes) -> None:
    assert query(language, kind).decode(answer) is None


@pytest.mark.parametrize(
    ("language", "kind", "answer"),
    [
        ("escpos", "status", b"\x00"),
        ("escpos", "status", b"\x12\x12OK"),
        ("escpos", "completion", b"\xff"),
        ("tspl-384", "status", b"\x40"),
        ("cpcl-384", "status", b"\xe0"),
        ("zpl-384", "status", b"OK"),
        ("zpl-384", "status", host_status() + b"\x02"),
        ("zpl-384", "status", host_status().replace(b"030", b"0x0")),
        ("zpl-384", "status", b"\x02" + b"0" * 300),
    ],
)
def test_noise_is_no_answer(language: str, kind: str, answer: bytes) -> None:
    with pytest.raises(UndecodableMessageError):
        query(language, kind).decode(answer)


@settings(max_examples=300, deadline=None)
@given(language=st.sampled_from(ONE_EACH), heard=st.binary(max_size=200))
def test_nothing_that_is_heard_breaks_anything(language: str, heard: bytes) -> None:
    for kind in ("status", "completion", "announcements") if language == "escpos" else ("status", "completion"):
        try:
            status = query(language, kind).decode(heard)
        except UndecodableMessageError:
            continue
        assert status is None or status.blocked <= status.conditions


def test_every_question_is_one_that_paper_knows() -> None:
    for language in ONE_EACH:
        printer, asked = LANGUAGES[language], paper_for(LANGUAGES[language])
        for kind in printer.answers:
            asked.feed(query(language, kind).request)
        asked.close()
        assert b"".join(asked.questions) == b"".join(query(language, kind).request for kind in printer.answers)


def test_a_printer_that_only_listens_is_asked_nothing() -> None:
    dialect = dialect_of(PRINTERS.load("generic-58"))
    assert dialect.status_query is dialect.completion_query is dialect.announcements is None


@pytest.mark.parametrize("name", PRINTERS.names())
def test_every_profile_prints_a_record(name: str) -> None:
    printer = PRINTERS.load(name)
    picture = laid_out("record", printer.width, printer.dots_per_mm)
    made = dialect_of(printer).encode(picture)
    paper = paper_for(printer)
    paper.feed(made.from_band())
    paper.close()
    assert paper.picture() == as_printed(picture, made)
    assert {gatt.notify is not None for gatt in printer.bluetooth} <= {True} or not printer.answers
