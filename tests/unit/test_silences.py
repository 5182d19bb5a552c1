"""Silences: gaps of device time, the roster, and what a gateway's outage explains."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.anomalies.circumstances import Duties, Shift
from hub.anomalies.coverage import Gap, Spans, gaps, heard, overlap_us, within
from hub.anomalies.finding import Finding
from hub.anomalies.settings import AnomaliesSettings
from hub.anomalies.signal_lost import SignalLost
from hub.anomalies.silences import changed
from hub.anomalies.silent import Silent

SETTINGS = AnomaliesSettings()
S = 1_000_000
LIMIT = 180 * S


def times(*seconds: int) -> list[int]:
    return [second * S for second in seconds]


# Coverage


def test_neighbours_within_the_limit_are_one_stretch() -> None:
    assert heard([], times(0, 100, 280, 500), LIMIT) == [(0, 280 * S), (500 * S, 500 * S)]


@given(
    order=st.permutations(times(0, 60, 119, 400, 401, 700, 1_500, 1_600, 5_000)),
    cuts=st.sets(st.integers(1, 8)),
    again=st.sets(st.integers(0, 8)),
)
def test_stretches_do_not_depend_on_order_or_portions(order: list[int], cuts: set[int], again: set[int]) -> None:
    spans: Spans = []
    edges = [0, *sorted(cuts), len(order)]
    for since, until in pairwise(edges):
        spans = heard(spans, order[since:until], LIMIT)
    spans = heard(spans, [order[place] for place in again], LIMIT)
    assert spans == heard([], sorted(order), LIMIT)


def test_gaps_lie_between_stretches_and_after_the_last() -> None:
    assert gaps([(0, 10), (50, 60)]) == [Gap(10, 50), Gap(60, None)]
    assert gaps([]) == []


def test_what_is_older_than_the_horizon_is_forgotten() -> None:
    assert within([(0, 5), (10, 20), (90, 100)], 85) == [(10, 20), (90, 100)]
    assert within([], 85) == []


def test_overlap_is_how_long_something_was_heard() -> None:
    assert overlap_us([(0, 10), (20, 30), (40, 90)], 5, 50) == 5 + 10 + 10


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([], [(0, 9)], False),
        ([], [(0, 9), (20, 30)], True),
        ([(0, 9)], [(0, 12)], False),
        ([(0, 9)], [(0, 9), (50, 50)], True),
        ([(0, 9), (50, 60)], [(0, 60)], True),
        ([(5, 9)], [(0, 9)], True),
        ([(0, 3), (5, 9)], [(0, 4), (5, 9)], True),
    ],
)
def test_silences_change_unless_the_last_stretch_only_grew(before: Spans, after: Spans, *, expected: bool) -> None:
    assert changed(before, after) is expected


# Signal lost

DUTY = Duties([Shift(0, 4_000 * S, "g1"), Shift(4_000 * S, 8_000 * S, "g2"), Shift(20_000 * S, 28_000 * S, "g1")])


def lost(silences: Sequence[Gap], now_s: int | None = None) -> list[tuple[int, int | None]]:
    rule = SignalLost(SETTINGS)
    found = rule.judge(silences, DUTY, rule.limit_us(None), None if now_s is None else now_s * S)
    return [(each.began_us // S, each.ended_us // S if each.ended_us is not None else None) for each in found]


def test_an_officer_on_duty_without_fixes_is_lost_from_the_last_fix() -> None:
    assert lost([Gap(1_000 * S, 1_500 * S)]) == [(1_000, 1_500)]


def test_a_gap_within_three_intervals_is_nothing() -> None:
    assert lost([Gap(1_000 * S, 1_180 * S)]) == []


def test_two_grids_in_a_row_are_one_duty() -> None:
    assert lost([Gap(3_900 * S, 4_100 * S)]) == [(3_900, 4_100)]


def test_off_duty_nobody_is_missed_and_each_duty_counts_by_itself() -> None:
    assert lost([Gap(9_000 * S, 19_000 * S)]) == []
    assert lost([Gap(7_000 * S, 21_000 * S)]) == [(7_000, 8_000), (20_000, 21_000)]


def test_a_gap_that_lasts_is_judged_by_the_hubs_clock_only() -> None:
    assert lost([Gap(1_000 * S, None)]) == []
    assert lost([Gap(1_000 * S, None)], now_s=1_100) == []
    assert lost([Gap(1_000 * S, None)], now_s=1_200) == [(1_000, None)]
    assert lost([Gap(1_000 * S, None)], now_s=9_000) == [(1_000, 8_000)]


# Silent devices


def silent(
    silences: Sequence[Gap],
    *,
    now_s: int | None = None,
    outages: Sequence[tuple[int, int | None]] = (),
    sisters: Sequence[Spans] = (),
) -> list[Finding]:
    rule = Silent(SETTINGS)
    now_us = None if now_s is None else now_s * S
    return list(rule.judge(silences, rule.limit_us(60.0), now_us, outages, sisters))


def test_a_device_is_silent_after_three_intervals() -> None:
    (finding,) = silent([Gap(0, 181 * S)])
    assert (finding.began_us, finding.ended_us) == (0, 181 * S)
    assert silent([Gap(0, 180 * S)]) == []


def test_a_fast_device_gets_two_minutes() -> None:
    assert Silent(SETTINGS).limit_us(1.0) == 120 * S


def test_an_outage_of_the_gateway_explains_the_silence_of_its_devices() -> None:
    outage = [(0, 10_000 * S)]
    assert silent([Gap(0, 10_000 * S)], outages=outage) == []
    assert silent([Gap(0, None)], now_s=500, outages=[(0, None)]) == []


def test_unless_another_device_spoke_meanwhile() -> None:
    outage = [(0, 10_000 * S)]
    assert len(silent([Gap(0, 10_000 * S)], outages=outage, sisters=[[(0, 10_000 * S)]])) == 1
    back_a_little_sooner: Spans = [(9_970 * S, 20_000 * S)]
    assert silent([Gap(0, 10_000 * S)], outages=outage, sisters=[back_a_little_sooner]) == []


def test_an_earlier_outage_explains_nothing() -> None:
    assert len(silent([Gap(50_000 * S, 60_000 * S)], outages=[(0, 10_000 * S)])) == 1


def test_a_gateway_is_offline_after_two_minutes() -> None:
    assert Silent(SETTINGS).offline(0, 120 * S) is None
    finding = Silent(SETTINGS).offline(0, 121 * S)
    assert finding is not None
    assert (finding.began_us, finding.ended_us) == (0, None)
