import operator
from functools import reduce
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from drivers.gps.framing import Framer

BODY = st.text(alphabet=[chr(code) for code in range(0x20, 0x7F) if chr(code) not in "$*"], min_size=1, max_size=250)


def sentence(body: str) -> bytes:
    return b"$%s*%02X" % (body.encode(), reduce(operator.xor, body.encode()))


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    """Cut a stream into pieces, at places taken modulo its length."""
    edges = sorted({place % (len(stream) + 1) for place in places} | {0, len(stream)})
    return [stream[start:end] for start, end in pairwise(edges)]


def sentences_by_hand(stream: bytes) -> list[bytes]:
    """What is in a stream, found by trying every place of it: slow, and written without a regular expression."""
    found = []
    for start in range(len(stream)):
        end = stream.find(b"*", start)
        body = stream[start + 1 : end]
        if stream[start : start + 1] != b"$" or not 1 <= len(body) <= 250:
            continue
        digits = stream[end + 1 : end + 3]
        plain = all(0x20 <= byte < 0x7F and byte != ord("$") for byte in body)
        hexadecimal = len(digits) == 2 and all(digit in b"0123456789abcdefABCDEF" for digit in digits)
        if plain and hexadecimal and reduce(operator.xor, body) == int(digits, 16):
            found.append(stream[start : end + 3])
    return found


@given(
    parts=st.lists(
        st.one_of(BODY.map(sentence), st.binary(max_size=40), st.just(b"\r\n"), st.just(b"$GPGGA,12")), max_size=12
    ),
    places=st.lists(st.integers(0, 4000), max_size=8),
)
@example(parts=[b"$GP", b"$A*41", b"*41"], places=[3, 6, 7])
def test_noise_never_invents_and_never_hides_a_sentence(parts: list[bytes], places: list[int]) -> None:
    stream = b"".join(parts)
    framer = Framer()
    found = [one for piece in cut(stream, places) for one in framer.feed(piece)]
    assert found == sentences_by_hand(stream)


@given(
    bodies=st.lists(BODY, min_size=1, max_size=8), noise=st.binary(max_size=30).filter(lambda noise: b"*" not in noise)
)
def test_every_sentence_comes_through_between_noise(bodies: list[str], noise: bytes) -> None:
    good = [sentence(body) for body in bodies]
    framer = Framer()
    assert framer.feed(noise + noise.join(good) + noise) == good


@given(body=BODY, places=st.lists(st.integers(0, 300), max_size=6))
def test_counts_do_not_depend_on_how_the_stream_is_cut(body: str, places: list[int]) -> None:
    stream = b"$GPGGA,1*00\r\n$GPRMC,1\r\n" + sentence(body) + b"\r\n$GPGLL,"
    whole, pieces = Framer(), Framer()
    whole.feed(stream)
    for piece in cut(stream, places):
        pieces.feed(piece)
    whole.finish()
    pieces.finish()
    assert (pieces.bad_checksum, pieces.unchecked) == (whole.bad_checksum, whole.unchecked) == (1, 2)


@pytest.mark.parametrize(
    ("stream", "bad_checksum", "unchecked"),
    [
        (b"$GPGGA,1*00\r\n", 1, 0),
        (b"$GPGGA,1\r\n", 0, 1),
        (b"$GPGGA,1*", 0, 1),
        (b"$GPGGA,1*5", 0, 1),
        (b"$GPGGA,1*ZZ\r\n", 0, 1),
        (b"$GPGGA,\xff1*47\r\n", 0, 1),
        (b"$GPGGA," + b"1" * 300 + b"*47\r\n", 0, 1),
        (b"\xb5b\x01$\x00\x93", 0, 0),
        (b"$$$", 0, 0),
    ],
)
def test_what_is_refused_is_counted(stream: bytes, bad_checksum: int, unchecked: int) -> None:
    framer = Framer()
    assert framer.feed(stream) == []
    framer.finish()
    assert (framer.bad_checksum, framer.unchecked) == (bad_checksum, unchecked)


def test_a_stream_that_never_ends_a_sentence_does_not_fill_the_memory() -> None:
    framer = Framer()
    for _ in range(1000):
        framer.feed(b"$GPGGA" + b"1" * 997)
    assert len(framer._rest) < 256
