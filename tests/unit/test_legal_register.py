"""What the law asks of recording devices, and the way from a recording to evidence."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.evidence import lifecycle
from hub.evidence.lifecycle import Officer, State
from hub.registers.duties import RULES, ZONES, Entry, View, missing, records
from protocol.errors import RefusedRequestError

TODAY = date(2026, 11, 25)
WHOLE: dict[str, Any] = {
    "purpose": "后厨食品安全",
    "basis": "食品安全法第五十五条",
    "public_place": True,
    "in_use_since": date(2026, 1, 1),
    "reviewed": True,
    "sign_posted": True,
    "location_published": True,
    "zones": dict.fromkeys(ZONES, View.CLEAR),
    "filed": True,
    "retention_days": 30,
}


def gaps(**changed: Any) -> list[str]:
    return [rule.item for rule in missing(Entry(**{**WHOLE, **changed}), TODAY)]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, []),
        ({"purpose": ""}, ["purpose"]),
        ({"basis": ""}, ["basis"]),
        ({"reviewed": False}, ["review"]),
        ({"sign_posted": False}, ["sign"]),
        ({"location_published": False}, ["location"]),
        ({"zones": {}}, ["zones"]),
        ({"zones": {**WHOLE["zones"], "toilet": View.SEEN}}, ["zones"]),
        ({"zones": {**WHOLE["zones"], "toilet": View.MASKED}}, []),
        ({"retention_days": 29}, ["retention"]),
        ({"retention_days": None}, ["retention"]),
        ({"filed": False}, ["filing"]),
        ({"filed": False, "in_use_since": None}, ["filing"]),
        ({"filed": False, "in_use_since": TODAY - timedelta(days=30)}, []),
        ({"filed": False, "in_use_since": TODAY - timedelta(days=31)}, ["filing"]),
        ({"filed": False, "retention_days": None, "public_place": False}, []),
        ({"sign_posted": False, "public_place": False}, ["sign"]),
    ],
)
def test_what_is_missing_is_named(changed: dict[str, Any], expected: list[str]) -> None:
    assert gaps(**changed) == expected


def test_an_empty_register_lacks_everything_and_each_thing_has_its_article() -> None:
    nothing: dict[str, Any] = dict.fromkeys(("reviewed", "sign_posted", "location_published", "filed"), False)
    empty = {"purpose": "", "basis": "", "in_use_since": None, "zones": {}, "retention_days": None, **nothing}
    assert gaps(**empty) == list(RULES)
    assert all("第" in rule.article and rule.zh and rule.en for rule in RULES.values())


@pytest.mark.parametrize(
    ("driver", "expected"),
    [("camera", True), ("recorder", True), ("recorder.dock", True), ("gps.nmea", False), ("", False)],
)
def test_cameras_and_recorders_need_a_register(driver: str, *, expected: bool) -> None:
    assert records(driver) is expected


CHEN = Officer(id=UUID(int=1), active=True, certified=True)
LIN = Officer(id=UUID(int=2), active=True, certified=True)
ASSISTANT = Officer(id=UUID(int=3), active=True, certified=False)
GONE = Officer(id=UUID(int=4), active=False, certified=True)


def refused(act: Any) -> str:
    with pytest.raises(RefusedRequestError) as caught:
        act()
    return caught.value.rule


def test_a_recording_becomes_evidence_by_two_officers() -> None:
    reviewed = lifecycle.reviewed(State.RAW, CHEN, legal=True, technical=True)
    assert reviewed is State.REVIEWED
    admitted = lifecycle.admitted(reviewed, LIN, reviewer=CHEN.id, unregistered=())
    assert admitted is State.ADMITTED
    lifecycle.usable(admitted)


@pytest.mark.parametrize("state", [State.RAW, State.REVIEWED, State.REJECTED])
def test_what_is_not_admitted_grounds_no_penalty_and_the_article_is_named(state: State) -> None:
    with pytest.raises(RefusedRequestError, match="行政处罚法第四十一条") as caught:
        lifecycle.usable(state)
    assert caught.value.rule == "evidence.unreviewed"


@given(
    st.sampled_from(State),
    st.sampled_from([CHEN, LIN, ASSISTANT, GONE]),
    st.sampled_from([None, CHEN.id, LIN.id]),
    st.sampled_from([(), ("sign",)]),
)
def test_nothing_is_admitted_against_a_rule(
    state: State, officer: Officer, reviewer: UUID | None, unregistered: tuple[str, ...]
) -> None:
    lawful = state is State.REVIEWED and officer in {CHEN, LIN} and officer.id != reviewer and not unregistered
    try:
        after = lifecycle.admitted(state, officer, reviewer=reviewer, unregistered=unregistered)
    except RefusedRequestError:
        assert not lawful
    else:
        assert lawful
        assert after is State.ADMITTED


@given(st.sampled_from(State), st.sampled_from([CHEN, ASSISTANT, GONE]), st.tuples(st.booleans(), st.booleans()))
def test_nothing_is_reviewed_against_a_rule(state: State, officer: Officer, passed: tuple[bool, bool]) -> None:
    legal, technical = passed
    try:
        after = lifecycle.reviewed(state, officer, legal=legal, technical=technical)
    except RefusedRequestError:
        assert state is not State.RAW or officer is not CHEN
    else:
        assert (state, officer) == (State.RAW, CHEN)
        assert after is (State.REVIEWED if legal and technical else State.REJECTED)


def test_each_refusal_has_its_rule() -> None:
    def admit(state: State, officer: Officer, *lacking: str) -> Any:
        return lambda: lifecycle.admitted(state, officer, reviewer=CHEN.id, unregistered=lacking)

    assert refused(admit(State.REVIEWED, CHEN)) == "evidence.four-eyes"
    assert refused(admit(State.REVIEWED, ASSISTANT)) == "evidence.not-certified"
    assert refused(admit(State.RAW, LIN)) == "evidence.unreviewed"
    assert refused(admit(State.REVIEWED, LIN, "sign")) == "evidence.device-not-registered"
    assert (
        refused(lambda: lifecycle.reviewed(State.REVIEWED, LIN, legal=True, technical=True)) == "evidence.wrong-state"
    )
