"""When a cabinet has left its limits, minute by minute."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.thermometer.limits import Turn, Watch
from drivers.thermometer.options import Limits, ThermometerOptions

SAMPLES = Limits(low=0, high=8, hysteresis=0.5, minutes=15)


def turns(limits: Limits, values: list[float], *, every_s: float = 60, is_open: bool = False) -> list[tuple[int, Turn]]:
    watch = Watch(limits, is_open=is_open)
    seen = [(number, watch.see(value, number * every_s)) for number, value in enumerate(values)]
    return [(number, turn) for number, turn in seen if turn is not None]


def test_it_begins_after_the_minutes_and_ends_once_it_is_back_by_the_margin() -> None:
    values = [5.0] * 3 + [9.0] * 20 + [7.8] * 5 + [7.5] * 3
    assert turns(SAMPLES, values) == [(18, Turn.BEGINS), (28, Turn.ENDS)]


def test_a_door_that_was_open_for_a_while_is_no_event() -> None:
    assert turns(SAMPLES, ([9.0] * 15 + [7.0]) * 10) == []


def test_hovering_at_the_limit_does_not_start_the_minutes_anew() -> None:
    assert turns(SAMPLES, [8.1, 7.9] * 8) == [(15, Turn.BEGINS)]


def test_too_cold_counts_as_well_and_the_worst_is_known() -> None:
    watch = Watch(SAMPLES, is_open=False)
    for minute, value in enumerate([-0.1, -3.0, -1.0]):
        watch.see(value, minute * 60)
    assert watch.excursion is not None
    assert watch.excursion.worst == -3.0


def test_freezers_have_one_limit_only() -> None:
    freezer = Limits(high=-12, minutes=0)
    assert turns(freezer, [-18, -60, -11.9, -12.4, -12.5]) == [(2, Turn.BEGINS), (4, Turn.ENDS)]


def test_an_event_that_was_open_before_a_restart_goes_on_or_ends() -> None:
    assert turns(SAMPLES, [9.0] * 20, is_open=True) == []
    assert turns(SAMPLES, [7.9, 7.9, 7.0], is_open=True) == [(2, Turn.ENDS)]
    assert turns(SAMPLES, [4.0, 4.0], is_open=True) == [(0, Turn.ENDS)]


@given(st.lists(st.floats(-40, 40), max_size=200), st.floats(1, 600))
def test_begins_and_ends_take_turns_and_each_beginning_had_its_minutes(values: list[float], every_s: float) -> None:
    told = turns(SAMPLES, values, every_s=every_s)
    assert [turn for _, turn in told] == ([Turn.BEGINS, Turn.ENDS] * len(told))[: len(told)]
    for number, turn in told:
        if turn is Turn.BEGINS:
            before = values[number - math.ceil(15 * 60 / every_s) : number + 1]
            assert all(value > 7.5 or value < 0.5 for value in before)
        else:
            assert 0.5 <= values[number] <= 7.5


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({}, "need `low`"),
        ({"low": 0, "high": 0.9}, "leave no room"),
        ({"low": 8, "high": 0}, "leave no room"),
        ({"high": 8, "hysteresis": -1}, "hysteresis"),
    ],
)
def test_limits_that_make_no_sense_are_refused(limits: dict[str, float], reason: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=reason):
        msgspec.convert(limits, Limits)


def test_options_that_could_never_warn_are_refused() -> None:
    source = {"kind": "modbus-tcp", "host": "h", "registers": [{"name": "temperature_c", "address": 0}], "every_s": 900}
    with pytest.raises(msgspec.ValidationError, match="longer than `every_s`"):
        msgspec.convert({"source": source}, ThermometerOptions)
    stranger = {"source": {**source, "every_s": 60}, "limits": {"high": 8, "value": "core_c"}}
    with pytest.raises(msgspec.ValidationError, match="for core_c, which is no register"):
        msgspec.convert(stranger, ThermometerOptions)
    twice = {**source, "registers": [{"name": "t", "address": 0}, {"name": "t", "address": 1}]}
    with pytest.raises(msgspec.ValidationError, match="the same name"):
        msgspec.convert({"source": twice}, ThermometerOptions)
