"""Topics and subjects say the same: what the NATS server makes of a topic is brought back to it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.broker import subjects

LEVELS = st.lists(st.from_regex(r"[a-z0-9_-]{1,8}", fullmatch=True), min_size=1, max_size=8)


@given(LEVELS)
def test_our_own_topics_come_back(levels: list[str]) -> None:
    topic = "/".join(levels)
    assert subjects.topic(subjects.subject(topic)) == topic


@pytest.mark.parametrize(
    ("subject", "topic"),
    [
        ("a.b", "a/b"),
        ("/.a.b", "/a/b"),
        ("a.b./", "a/b/"),
        ("a./.b", "a//b"),
        ("a.b//c", "a/b.c"),
    ],
)
def test_what_the_server_writes_for_odd_topics_can_be_shown(subject: str, topic: str) -> None:
    assert subjects.topic(subject) == topic
