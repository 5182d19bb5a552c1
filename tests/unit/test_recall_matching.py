"""Whether a scanned product is one that is recalled."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.recalls.matching import Extent, Match, Product, in_order

MILK = "06901234567892"
CASE = "16901234567899"
"""The same item by the case: another level of packaging, and so another check digit."""


def verdict(recall: dict[str, Any], product: dict[str, Any]) -> Match:
    return Extent(**{"gtin": MILK, **recall}).matches(Product(**{"gtin": MILK, **product}))


@pytest.mark.parametrize(
    ("recall", "product", "expected"),
    [
        ({}, {"batch": "A7"}, Match.CERTAIN),
        ({}, {}, Match.CERTAIN),
        ({"batch": "A7"}, {"batch": "A7"}, Match.CERTAIN),
        ({"batch": "a7"}, {"batch": "A7"}, Match.CERTAIN),
        ({"batch": "A7"}, {"batch": "A70"}, Match.NONE),
        ({"batch": "A7"}, {}, Match.POSSIBLE),
        ({"batch": "A*"}, {"batch": "A7-26"}, Match.CERTAIN),
        ({"batch": "2026????"}, {"batch": "20261125"}, Match.CERTAIN),
        ({"batch": "2026????"}, {"batch": "202611"}, Match.NONE),
        ({"batch": "A.7"}, {"batch": "AX7"}, Match.NONE),
        ({"batch": "[AB]7"}, {"batch": "A7"}, Match.NONE),
        ({"batch_from": "A9", "batch_to": "A12"}, {"batch": "A10"}, Match.CERTAIN),
        ({"batch_from": "A9", "batch_to": "A12"}, {"batch": "A9"}, Match.CERTAIN),
        ({"batch_from": "A9", "batch_to": "A12"}, {"batch": "a12"}, Match.CERTAIN),
        ({"batch_from": "A9", "batch_to": "A12"}, {"batch": "A13"}, Match.NONE),
        ({"batch_from": "A9", "batch_to": "A12"}, {"batch": "B10"}, Match.NONE),
        ({"batch_from": "20260901", "batch_to": "20260915"}, {"batch": "20260908"}, Match.CERTAIN),
        ({"batch_from": "26-A1", "batch_to": "26-A9"}, {"batch": "27-A5"}, Match.NONE),
        ({"produced_from": date(2026, 9, 1)}, {"produced": date(2026, 9, 1)}, Match.CERTAIN),
        ({"produced_to": date(2026, 9, 1)}, {"produced": date(2026, 9, 2)}, Match.NONE),
        ({"produced_from": date(2026, 9, 1)}, {"batch": "A7"}, Match.POSSIBLE),
        ({"batch": "A7", "produced_to": date(2026, 9, 1)}, {"batch": "B7"}, Match.NONE),
        ({"gtin": CASE}, {}, Match.CERTAIN),
        ({}, {"gtin": "06901234567885"}, Match.NONE),
        ({"gtin": "6901234567892"}, {}, Match.CERTAIN),
    ],
)
def test_a_recall_covers_what_fits_everything_it_says(
    recall: dict[str, Any], product: dict[str, Any], expected: Match
) -> None:
    assert verdict(recall, product) is expected


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9))
def test_a_range_of_numbers_covers_what_lies_between(low: int, number: int, high: int) -> None:
    recall = {"batch_from": f"L{low}x", "batch_to": f"L{high}x"}
    assert (verdict(recall, {"batch": f"L{number}x"}) is Match.CERTAIN) == (low <= number <= high)


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_text_may_be_a_batch(recalled: str, scanned: str) -> None:
    assert verdict({"batch": recalled}, {"batch": scanned}) in Match
    assert in_order(recalled, scanned) in {True, False}
