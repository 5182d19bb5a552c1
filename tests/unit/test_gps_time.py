from datetime import UTC, date, datetime, timedelta

import pytest

from drivers.gps.dating import DATE_ASSUMED, DATE_ROLLOVER, Dating
from drivers.gps.ordering import Ordering, Step

BOX = datetime(2026, 4, 29, 12, tzinfo=UTC)


def at(hour: int, minute: int = 0, second: float = 0) -> timedelta:
    return timedelta(hours=hour, minutes=minute, seconds=second)


def test_a_date_is_kept_until_midnight_turns_it() -> None:
    dating = Dating()
    assert dating.date(at(23, 59, 59), date(2026, 4, 28), BOX) == (datetime(2026, 4, 28, 23, 59, 59, tzinfo=UTC), ())
    assert dating.date(at(0), None, BOX) == (datetime(2026, 4, 29, tzinfo=UTC), ())
    assert dating.date(at(0, 0, 1), None, BOX) == (datetime(2026, 4, 29, 0, 0, 1, tzinfo=UTC), ())
    assert dating.date(at(23, 59, 59), None, BOX) == (datetime(2026, 4, 28, 23, 59, 59, tzinfo=UTC), ())


@pytest.mark.parametrize("eras", [1, 2])
def test_weeks_that_began_again_are_corrected_and_flagged(eras: int) -> None:
    shown = (BOX - eras * timedelta(weeks=1024)).date()
    assert Dating().date(at(11, 58), shown, BOX) == (datetime(2026, 4, 29, 11, 58, tzinfo=UTC), (DATE_ROLLOVER,))


def test_thirteenth_of_september_2006_is_twenty_ninth_of_april_2026() -> None:
    dated = Dating().date(at(12), date(2006, 9, 13), BOX)
    assert dated == (BOX, (DATE_ROLLOVER,))


def test_an_old_recording_is_not_taken_for_a_rollover() -> None:
    assert Dating().date(at(12), date(2006, 9, 10), BOX) == (datetime(2006, 9, 10, 12, tzinfo=UTC), ())


def test_midnight_is_still_turned_when_the_weeks_began_again() -> None:
    dating = Dating()
    dating.date(at(23, 59, 59), date(2006, 9, 12), BOX)
    assert dating.date(at(0), None, BOX) == (datetime(2026, 4, 29, tzinfo=UTC), (DATE_ROLLOVER,))


def test_without_any_date_the_box_dates_after_a_while_and_says_so() -> None:
    dating = Dating()
    assert [dating.date(at(23, 59, second), None, BOX) for second in range(5)] == [None] * 5
    just_before_midnight = datetime(2026, 4, 28, 23, 59, 5, tzinfo=UTC)
    assert dating.date(at(23, 59, 5), None, datetime(2026, 4, 29, 0, 0, 1, tzinfo=UTC)) == (
        just_before_midnight,
        (DATE_ASSUMED,),
    )
    assert dating.date(at(0), None, BOX) == (datetime(2026, 4, 29, tzinfo=UTC), (DATE_ASSUMED,))
    assert dating.date(at(0, 0, 1), date(2026, 4, 30), BOX) == (datetime(2026, 4, 30, 0, 0, 1, tzinfo=UTC), ())


def judged(*seconds: int) -> list[Step]:
    ordering = Ordering()
    return [ordering.judge(BOX + timedelta(seconds=second)) for second in seconds]


def test_duplicates_and_the_past_are_kept_out() -> None:
    forward, duplicate, backwards = Step.FORWARD, Step.DUPLICATE, Step.BACKWARDS
    assert judged(1, 2, 2, 3, 1, 4) == [forward, forward, duplicate, forward, backwards, forward]


def test_a_clock_that_was_set_back_locks_nobody_out() -> None:
    assert judged(1000, 1, 2, 3, 4)[1:] == [Step.BACKWARDS, Step.BACKWARDS, Step.RESET, Step.FORWARD]


def test_a_repeated_old_fix_is_no_clock_that_was_set_back() -> None:
    assert set(judged(1000, *[1] * 20)[1:]) == {Step.BACKWARDS, Step.DUPLICATE}


def test_a_shuffled_past_is_no_clock_that_was_set_back() -> None:
    assert Step.RESET not in judged(1000, 3, 2, 1, 3, 2, 1, 3, 2, 1)
