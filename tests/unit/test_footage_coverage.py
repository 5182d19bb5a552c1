"""How much of a duty was recorded: by hand, and against counting second by second."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.footage.coverage import TOLERANCE, Span, covered
from hub.footage.hearing import instant, line
from hub.footage.pairing import FEWEST_FIXES, Site, nearest
from hub.footage.retention import CATEGORIES, LEAST_DAYS, kept_for
from hub.footage.settings import FootageSection
from hub.footage.store import sniffed

START = datetime(2026, 11, 24, 8, tzinfo=UTC)
DUTY = Span(START, START + timedelta(hours=1))
STEP_S = 10
"""Longer than the tolerance, so that every gap of a whole step counts."""


def span(first: int, last: int) -> Span:
    return Span(START + timedelta(seconds=first), START + timedelta(seconds=last))


def test_a_duty_without_a_clip_is_one_gap() -> None:
    assert covered(DUTY, []).gaps == (DUTY,)
    assert covered(DUTY, []).share == 0.0


def test_a_moment_between_two_files_is_no_gap() -> None:
    clips = [span(1, 1800), span(1802, 3599)]
    found = covered(DUTY, clips)
    assert (found.gaps, found.share) == ((), 1.0)
    assert timedelta(seconds=2) <= TOLERANCE


def test_an_empty_duty_is_not_divided_by() -> None:
    assert covered(Span(START, START), [DUTY]).share == 0.0


@given(st.lists(st.tuples(st.integers(-20, 380), st.integers(-20, 380)), max_size=12))
def test_it_is_what_counting_gives(ends: list[tuple[int, int]]) -> None:
    clips = [span(first * STEP_S, last * STEP_S) for first, last in ends]
    steps = range(3_600 // STEP_S)
    recorded = {step for step in steps if any(first <= step < last for first, last in ends)}
    found = covered(DUTY, clips)
    assert found.recorded == timedelta(seconds=len(recorded) * STEP_S)
    assert found.share == pytest.approx(len(recorded) / len(steps))
    assert sum((gap.until - gap.since for gap in found.gaps), timedelta()) + found.recorded == timedelta(hours=1)
    assert all(one.until < two.since for one, two in zip(found.gaps, found.gaps[1:], strict=False))


SHOP, NEIGHBOUR = (Site(UUID(int=n), 24.5 + n / 1000, 118.1) for n in (1, 2))


@pytest.mark.parametrize(
    ("fixes", "found"),
    [
        ([], None),
        ([(24.5011, 118.1)] * (FEWEST_FIXES - 1), None),
        ([(24.5011, 118.1)] * FEWEST_FIXES, SHOP.subject_id),
        ([(24.5011, 118.1)] * 3 + [(24.502, 118.1)] * 4, NEIGHBOUR.subject_id),
        ([(24.5011, 118.1)] * 3 + [(24.502, 118.1)] * 3, None),
        ([(24.6, 118.1)] * 50, None),
    ],
)
def test_the_shop_is_where_most_fixes_are(fixes: list[tuple[float, float]], found: UUID | None) -> None:
    assert nearest(fixes, [SHOP, NEIGHBOUR]) == found


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\0\0\0\x18ftypmp42", "video/mp4"),
        (b"RIFF\0\0\0\0AVI LIST", "video/x-msvideo"),
        (b"RIFF\0\0\0\0WAVEfmt ", "audio/wav"),
        (b"\x1aE\xdf\xa3", "video/webm"),
        (b"<html>", "application/octet-stream"),
        (b"", "application/octet-stream"),
    ],
)
def test_what_a_browser_is_told_is_what_the_bytes_are(head: bytes, kind: str) -> None:
    assert sniffed(head) == kind


@given(st.recursive(st.none() | st.floats() | st.text(), st.lists))
def test_no_word_of_a_recorder_breaks_the_hearing(value: object) -> None:
    assert instant(value) is None or instant(value)
    assert len(line(value, 5)) <= 5
    assert line(value, 5).isprintable()


def test_no_term_is_below_what_the_law_asks() -> None:
    for category in CATEGORIES:
        assert kept_for(category, {}) >= timedelta(days=LEAST_DAYS)
    with pytest.raises(ValueError, match="greater than or equal to 30"):
        FootageSection(keep_days={"ordinary": 29})
    with pytest.raises(ValueError, match="no category party"):
        FootageSection(keep_days={"party": 60})
