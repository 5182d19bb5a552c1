"""Topics: spelled in one place, read strictly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import topics
from protocol.errors import UndecodableMessageError
from protocol.topics import Up, UplinkTopic

DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
levels = st.from_regex(r"\A[a-z0-9_-]{1,64}\Z")


@given(levels)
def test_what_is_spelled_is_read(gateway: str) -> None:
    assert topics.parse_up(topics.state(gateway)) == UplinkTopic(gateway, Up.STATE)
    assert topics.parse_up(topics.batch(gateway)) == UplinkTopic(gateway, Up.BATCH)
    assert topics.parse_up(topics.reply(gateway)) == UplinkTopic(gateway, Up.REPLY)
    assert topics.parse_up(topics.image(gateway, DIGEST)) == UplinkTopic(gateway, Up.IMAGE, DIGEST)


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "diwang/v2/g1/up/batch",
        "diwang/v1/g1/down/ack",
        "diwang/v1/G1/up/batch",
        "diwang/v1/g.1/up/batch",
        "diwang/v1/g1/up/batch/extra",
        "diwang/v1/g1/up/image",
        "diwang/v1/g1/up/image/abc",
        f"diwang/v1/g1/up/batch/{DIGEST}",
        "diwang/v1//up/batch",
        "$SYS/broker",
    ],
)
def test_any_other_topic_is_refused(topic: str) -> None:
    with pytest.raises(UndecodableMessageError):
        topics.parse_up(topic)


@given(st.text(max_size=80))
def test_no_text_crashes_the_reader(text: str) -> None:
    with pytest.raises(UndecodableMessageError):
        topics.parse_up(text)


def test_newlines_do_not_slip_through() -> None:
    assert not topics.is_level("g1\n")
    assert topics.is_level("a" * 64)
    assert not topics.is_level("a" * 65)
