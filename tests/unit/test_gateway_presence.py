"""Which word of a gateway counts: news, a last will, or something stale."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from hub.gateways.presence import Known, Said, Word, judged
from protocol.messages import State

T0 = datetime(2026, 11, 24, 8, tzinfo=UTC)
EPOCH, OTHER = UUID(int=1), UUID(int=2)


def said(at_s: float, heard_s: float, *, online: bool, epoch: UUID = EPOCH) -> Said:
    at = T0 + timedelta(seconds=at_s)
    state = State(gateway="g1", epoch=epoch, online=online, at=at, agent="1")
    return Said(state, T0 + timedelta(seconds=heard_s))


ONLINE = Known(EPOCH, online=True, at=T0 + timedelta(seconds=100), heard_at=T0 + timedelta(seconds=100))
OFFLINE = Known(EPOCH, online=False, at=T0 + timedelta(seconds=100), heard_at=T0 + timedelta(seconds=100))
UNKNOWN = Known(None, online=False, at=None, heard_at=None)


@pytest.mark.parametrize(
    ("known", "state", "word"),
    [
        (UNKNOWN, said(1, 1, online=True), Word.NEWS),
        (UNKNOWN, said(1, 1, online=False), Word.NEWS),
        (ONLINE, said(101, 101, online=True), Word.NEWS),
        (ONLINE, said(150, 150, online=False), Word.NEWS),
        (ONLINE, said(0, 200, online=False), Word.WILL),
        (ONLINE, said(0, 101, online=False), Word.STALE),
        (ONLINE, said(0, 200, online=False, epoch=OTHER), Word.STALE),
        (ONLINE, said(150, 150, online=True, epoch=OTHER), Word.NEWS),
        (ONLINE, said(99, 110, online=True), Word.STALE),
        (ONLINE, said(100, 110, online=True), Word.STALE),
        (OFFLINE, said(100, 110, online=True), Word.NEWS),
        # The hub's own clock was set back: a will still counts, and so does what a box says.
        (ONLINE, said(0, -3_600, online=False), Word.WILL),
        (ONLINE, said(99, -3_600, online=True), Word.NEWS),
        # A box whose clock was set back is believed again after a minute.
        (ONLINE, said(-1_000_000, 161, online=True), Word.NEWS),
    ],
)
def test_words_are_told_apart(known: Known, state: Said, word: Word) -> None:
    assert judged(known, state) is word
