"""Check digits of the numbers that businesses are known by."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.subjects.identifiers import flags, mod_11_10_check, uscc_check

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
first_17 = st.text(ALPHABET, min_size=17, max_size=17)
thirteen = st.text("0123456789", min_size=13, max_size=13)


@pytest.mark.parametrize(
    "licence",
    ["JY13301080111719", "JY13101060025900", "JY23502030023854", "JY11108071215650", "JY11105050876919"],
)
def test_real_food_licences_pass(licence: str) -> None:
    assert flags(None, licence) == []


@pytest.mark.parametrize(
    "uscc", ["91350203M0001FUE2P", "91350203M0001QAY9B", "91350211M0000XUF46", "91350100M0001TGQXM"]
)
def test_codes_of_the_early_pilot_fail_and_are_told_as_such(uscc: str) -> None:
    assert flags(uscc, None) == ["uscc_pilot"]


@pytest.mark.parametrize("uscc", ["9144030071526726XG", "914403001922038216", "91330100799655058B"])
def test_ordinary_codes_pass(uscc: str) -> None:
    assert flags(uscc, None) == []


@given(first=first_17, place=st.integers(0, 17), other=st.sampled_from(ALPHABET))
def test_one_wrong_character_of_a_code_is_always_found(first: str, place: int, other: str) -> None:
    uscc = first + uscc_check(first)
    wrong = uscc[:place] + other + uscc[place + 1 :]
    doubt = {"uscc_pilot" if wrong[8] == "M" else "uscc_check_digit"}
    assert flags(uscc, None) == []
    assert set(flags(wrong, None)) == (set() if wrong == uscc else doubt)


@given(first=first_17, place=st.integers(0, 16))
def test_two_neighbours_that_change_places_are_always_found(first: str, place: int) -> None:
    uscc = first + uscc_check(first)
    swapped = uscc[:place] + uscc[place + 1] + uscc[place] + uscc[place + 2 :]
    assert bool(flags(swapped, None)) == (swapped != uscc)


@given(digits=thirteen, place=st.integers(0, 13), other=st.sampled_from("0123456789"))
def test_one_wrong_digit_of_a_licence_is_always_found(digits: str, place: int, other: str) -> None:
    licence = digits + mod_11_10_check(digits)
    wrong = licence[:place] + other + licence[place + 1 :]
    assert flags(None, f"JY{licence}") == []
    assert flags(None, f"JY{wrong}") == ([] if wrong == licence else ["licence_check_digit"])


@pytest.mark.parametrize(
    ("uscc", "licence", "found"),
    [
        (None, None, []),
        ("9135020", None, ["uscc_shape"]),
        ("91350203I0001FUE2P", None, ["uscc_shape"]),
        (None, "JY2350203002385", ["licence_shape"]),
        (None, "JY２350203002385４", ["licence_shape"]),
        (None, "SC10135020300012", []),
        ("1", "JY1", ["uscc_shape", "licence_shape"]),
    ],
)
def test_what_has_another_shape_is_told(uscc: str | None, licence: str | None, found: list[str]) -> None:
    assert flags(uscc, licence) == found
