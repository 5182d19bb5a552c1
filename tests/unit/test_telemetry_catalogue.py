"""Types for ever, retention classes, and the newest values against the plainest possible model."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.config import RetentionSection
from hub.telemetry.catalogue import Catalogue, SeriesType, fitted, type_of
from hub.telemetry.columns import microseconds, rows_of
from hub.telemetry.contract import Arrival, Retention, Scalar, SeriesClass, SeriesKey
from hub.telemetry.newest import Newest
from hub.telemetry.retention import deadlines, kept_for, retention_of
from protocol.messages import Batch, Reading

T0 = datetime(2026, 11, 24, 8, tzinfo=UTC)
NUMBER, FLAG, TEXT = SeriesType.NUMBER, SeriesType.FLAG, SeriesType.TEXT

VALUES = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.text(max_size=4))
OFFSETS = st.integers(-1_439, 1_439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
READINGS = st.lists(st.tuples(st.integers(0, 9), st.sampled_from("abc"), VALUES), max_size=30)


def arrival(values: list[tuple[int, str, Scalar]]) -> Arrival:
    records = tuple(
        Reading(device="d", at=T0 + timedelta(seconds=seconds), values={name: value}) for seconds, name, value in values
    )
    return Arrival(Batch(id=UUID(int=1), gateway="g", epoch=UUID(int=1), seq=1, sent_at=T0, records=records), T0)


@pytest.mark.parametrize(
    ("value", "wanted", "expected"),
    [
        (1.5, NUMBER, 1.5),
        (True, NUMBER, 1.0),
        (False, NUMBER, 0.0),
        ("1.5", NUMBER, None),
        (True, FLAG, True),
        (1.0, FLAG, True),
        (0.0, FLAG, False),
        (-0.0, FLAG, False),
        (2.0, FLAG, None),
        (0.5, FLAG, None),
        ("true", FLAG, None),
        ("on", TEXT, "on"),
        (1.0, TEXT, None),
        (False, TEXT, None),
    ],
)
def test_what_fits_a_series(value: Scalar, wanted: SeriesType, expected: Scalar | None) -> None:
    fit = fitted(value, wanted)
    assert fit == expected
    assert type(fit) is type(expected)


@given(value=VALUES)
def test_a_value_fits_the_series_it_decides(value: Scalar) -> None:
    assert fitted(value, type_of(value)) == value


@given(commits=st.lists(READINGS, max_size=4))
def test_newest_values_are_those_of_a_plain_loop(commits: list[list[tuple[int, str, Scalar]]]) -> None:
    catalogue, newest = Catalogue(), Newest()
    kinds: dict[str, SeriesType] = {}
    expected: dict[str, tuple[int, Scalar]] = {}
    for values in commits:
        rows = rows_of([arrival(values)], catalogue, 0)
        newest.update(rows)
        clashes = 0
        for seconds, name, value in values:
            fit = fitted(value, kinds.setdefault(name, type_of(value)))
            if fit is None:
                clashes += 1
            elif name not in expected or seconds >= expected[name][0]:
                expected[name] = (seconds, fit)
        assert len(rows.clashes) == clashes
    found = {}
    held = newest.values(series.id for _, series in catalogue)
    for (key, series), newest_value in zip(catalogue, held, strict=True):
        assert series.kind is kinds[key.name]
        if newest_value is not None:
            at_us, stored = newest_value
            found[key.name] = ((at_us - int(microseconds([T0])[0])) // 1_000_000, stored)
    assert found == expected


@given(times=st.lists(st.datetimes(timezones=OFFSETS), max_size=5))
def test_microseconds_are_exact(times: list[datetime]) -> None:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    assert [epoch + timedelta(microseconds=int(us)) for us in microseconds(times)] == times


def test_the_first_class_that_matches_rules() -> None:
    day = timedelta(days=1)
    retention = Retention(
        (
            SeriesClass("fridge-*", "temperature_?", 9 * day),
            SeriesClass("*", "raw[1]", day),
            SeriesClass("fridge-*", "*", 2 * day),
        ),
        positions=day,
        batches=day,
    )
    kept = {
        ("fridge-1", "temperature_c"): 9 * day,
        ("fridge-1", "temperature_cc"): 2 * day,
        ("scale", "raw[1]"): day,
        ("scale", "raw1"): None,
        ("scale", "Temperature_c"): None,
    }
    for (device, name), expected in kept.items():
        assert kept_for(retention, SeriesKey("g", device, name)) == expected
    catalogue = Catalogue()
    catalogue.decide(SeriesKey("g", "fridge-1", "x"), 1.0)
    catalogue.decide(SeriesKey("g", "scale", "x"), 1.0)
    ((key, _, cutoff),) = deadlines(retention, catalogue, T0)
    assert (key.device, cutoff) == ("fridge-1", T0 - 2 * day)


def test_settings_become_a_policy() -> None:
    section = RetentionSection.model_validate(
        {"readings": [{"name": "raw*", "days": 0.5}, {"days": 7}], "positions_days": 3, "batches_days": 4}
    )
    assert retention_of(section) == Retention(
        (SeriesClass("*", "raw*", timedelta(hours=12)), SeriesClass("*", "*", timedelta(days=7))),
        positions=timedelta(days=3),
        batches=timedelta(days=4),
    )
