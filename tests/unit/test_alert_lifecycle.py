"""The life of an alert: which acts are open, and what refuses the others."""

import pytest

from hub.alerts.lifecycle import Act, Alert, AlertState
from protocol.errors import RefusedRequestError

RAISED = Alert(AlertState.RAISED, recorded=False)
SEEN_BY_CAMERA = Alert(AlertState.RAISED, recorded=True)


def done(alert: Alert, *acts: Act, actor: str | None = None, reason: str = "why") -> Alert:
    for act in acts:
        alert = alert.after(act, actor=actor, reason=reason)
    return alert


def refusal(alert: Alert, act: Act, *, actor: str | None = None, reason: str = "why") -> RefusedRequestError:
    with pytest.raises(RefusedRequestError) as refused:
        alert.after(act, actor=actor, reason=reason)
    return refused.value


def test_the_whole_way() -> None:
    alert = done(SEEN_BY_CAMERA, Act.ACKNOWLEDGE, Act.VERIFY, Act.DISPATCH, Act.CLOSE)
    assert (alert.state, alert.ended) == (AlertState.CLOSED, True)


@pytest.mark.parametrize("act", [Act.DISPATCH, Act.CLOSE])
@pytest.mark.parametrize("before", [(), (Act.ACKNOWLEDGE,)])
def test_what_a_camera_saw_goes_nowhere_before_a_person_looked(act: Act, before: tuple[Act, ...]) -> None:
    error = refusal(done(SEEN_BY_CAMERA, *before), act)
    assert (error.rule, error.status) == ("alerts.unreviewed-recording", 409)
    assert "第四十一条" in error.detail
    assert done(SEEN_BY_CAMERA, *before, Act.VERIFY, act).state in {AlertState.DISPATCHED, AlertState.CLOSED}


def test_what_no_camera_saw_may_be_dispatched_at_once() -> None:
    assert done(RAISED, Act.DISPATCH).state is AlertState.DISPATCHED


def test_a_rejection_needs_a_reason_and_ends_it() -> None:
    assert refusal(RAISED, Act.REJECT, reason=" ").rule == "alerts.reason-missing"
    rejected = done(RAISED, Act.REJECT)
    assert rejected.ended
    assert refusal(rejected, Act.CLOSE).rule == "alerts.wrong-state"


def test_who_dispatched_does_not_close() -> None:
    sent = done(RAISED, Act.DISPATCH, actor="Lin")
    assert refusal(sent, Act.CLOSE, actor="Lin").rule == "alerts.four-eyes"
    assert done(sent, Act.CLOSE, actor="Chen").ended
    assert done(sent, Act.CLOSE).ended


@pytest.mark.parametrize("act", list(Act))
def test_an_act_that_is_repeated_changes_nothing(act: Act) -> None:
    once = done(RAISED, act)
    assert once.after(act, actor="somebody", reason="") is once


@pytest.mark.parametrize(
    ("before", "act"),
    [
        ((Act.VERIFY,), Act.ACKNOWLEDGE),
        ((Act.DISPATCH,), Act.VERIFY),
        ((Act.DISPATCH,), Act.REJECT),
        ((Act.CLOSE,), Act.DISPATCH),
        ((Act.CLOSE,), Act.REJECT),
    ],
)
def test_there_is_no_way_back(before: tuple[Act, ...], act: Act) -> None:
    assert refusal(done(RAISED, *before), act).rule == "alerts.wrong-state"
