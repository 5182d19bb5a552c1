"""Bytes that somebody bent, or made up: nothing of them may raise, and no place may come of it that nobody said."""

import operator
from collections.abc import Callable
from datetime import UTC, datetime
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.gps.gpsd_json import GpsdJson
from drivers.gps.languages import Language, Nmea
from tests.simulators import gps_recordings as recordings

BOX = datetime(2030, 1, 1, tzinfo=UTC)
LANGUAGES: list[Callable[[], Language]] = [Nmea, GpsdJson]
GOOD = recordings.bytes_of("navika-100-fix")[:4_000]
JSON = recordings.gpsd_lines("navika-100-fix")[:8_000]
KINDS = ("GGA", "RMC", "GNS", "GLL", "GSA", "GST", "GSV", "VTG", "ZDA")
FIELD = st.one_of(
    st.sampled_from(
        ["", "A", "V", "N", "E", "0", "1", "3", "080000.00", "235960", "2434.2", "11806.0", "311299", "9" * 30]
    ),
    st.text(alphabet=[chr(code) for code in range(0x20, 0x7F) if chr(code) not in "$*,"], max_size=12),
)


@pytest.mark.parametrize("language", LANGUAGES)
@given(pieces=st.lists(st.binary(max_size=200), max_size=10))
def test_any_bytes_are_survived(language: Callable[[], Language], pieces: list[bytes]) -> None:
    positions, _ = recordings.positions_of(language(), pieces, BOX)
    assert positions == []


@pytest.mark.parametrize("language", LANGUAGES)
@given(bends=st.lists(st.tuples(st.integers(0, 8_000), st.integers(0, 255)), max_size=30))
def test_a_bent_stream_is_survived(language: Callable[[], Language], bends: list[tuple[int, int]]) -> None:
    stream = bytearray(GOOD if language is Nmea else JSON)
    for place, byte in bends:
        stream[place % len(stream)] = byte
    positions, _ = recordings.positions_of(language(), [bytes(stream)], BOX)
    assert all(abs(each.latitude) <= 90 and abs(each.longitude) <= 180 and each.at.tzinfo for each in positions)


@given(bends=st.lists(st.tuples(st.integers(0, 4_000), st.integers(1, 255)), min_size=1, max_size=30))
def test_one_bent_byte_in_a_sentence_never_moves_a_fix(bends: list[tuple[int, int]]) -> None:
    lines = GOOD.splitlines(keepends=True)
    whole = {one.at: one for one in recordings.positions_of(Nmea(), [GOOD], BOX)[0]}
    for place, flip in bends:
        number = place % len(lines)
        line = bytearray(GOOD.splitlines(keepends=True)[number])
        line[place % len(line)] ^= flip
        lines[number] = bytes(line)
    for bent in recordings.positions_of(Nmea(), [b"".join(lines)], BOX)[0]:
        assert recordings.metres(bent, whole[bent.at]) < 1.0


@given(
    sentences=st.lists(
        st.tuples(st.sampled_from(KINDS), st.lists(FIELD, min_size=3, max_size=20)), min_size=1, max_size=8
    )
)
def test_well_summed_nonsense_is_survived(sentences: list[tuple[str, list[str]]]) -> None:
    bodies = [f"GN{kind},{','.join(fields)}".encode() for kind, fields in sentences]
    stream = b"".join(b"$%s*%02X" % (body, reduce(operator.xor, body)) for body in bodies)
    positions, counts = recordings.positions_of(Nmea(), [stream], BOX)
    assert counts["sentences"] == sum(len(body) <= 250 for body in bodies)
    assert all(-90 <= one.latitude <= 90 and -180 <= one.longitude <= 180 for one in positions)
