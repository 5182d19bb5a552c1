"""The life of an alert, without a database: raised, acknowledged, verified or rejected, dispatched, closed.

    raised -> acknowledged -> verified -> dispatched -> closed
        any of the first three -> rejected, with a reason; that ends it

What is not seen by a camera may be dispatched or closed without verification; what is may not.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Self

from protocol.errors import RefusedRequestError

UNREVIEWED_RECORDING: Final = "alerts.unreviewed-recording"
_ARTICLE_41: Final = (
    "行政处罚法第四十一条: 电子技术监控设备记录违法事实应当真实、清晰、完整、准确。"
    "行政机关应当审核记录内容是否符合要求;未经审核或者经审核不符合要求的,不得作为行政处罚的证据"
)


class AlertState(StrEnum):
    """Where an alert stands. `rejected` and `closed` are ends."""

    RAISED = "raised"
    ACKNOWLEDGED = "acknowledged"
    VERIFIED = "verified"
    REJECTED = "rejected"
    DISPATCHED = "dispatched"
    CLOSED = "closed"


class Act(StrEnum):
    """What a person does about an alert."""

    ACKNOWLEDGE = "acknowledge"
    VERIFY = "verify"
    REJECT = "reject"
    DISPATCH = "dispatch"
    CLOSE = "close"


RESULT: Final = {
    Act.ACKNOWLEDGE: AlertState.ACKNOWLEDGED,
    Act.VERIFY: AlertState.VERIFIED,
    Act.REJECT: AlertState.REJECTED,
    Act.DISPATCH: AlertState.DISPATCHED,
    Act.CLOSE: AlertState.CLOSED,
}
ENDS: Final = frozenset({AlertState.REJECTED, AlertState.CLOSED})
_UNSEEN: Final = frozenset({AlertState.RAISED, AlertState.ACKNOWLEDGED})
_FROM: Final = {
    Act.ACKNOWLEDGE: frozenset({AlertState.RAISED}),
    Act.VERIFY: _UNSEEN,
    Act.REJECT: _UNSEEN | {AlertState.VERIFIED},
    Act.DISPATCH: _UNSEEN | {AlertState.VERIFIED},
    Act.CLOSE: _UNSEEN | {AlertState.VERIFIED, AlertState.DISPATCHED},
}


@dataclass(frozen=True, slots=True)
class Alert:
    """What decides which acts are open. `recorded` says that a camera saw it, `dispatcher` who sent somebody."""

    state: AlertState
    recorded: bool
    dispatcher: str | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more may be done."""
        return self.state in ENDS

    def after(self, act: Act, *, actor: str | None, reason: str) -> Self:
        """Return the alert after an act; the same one when that was done before, so that a repeat changes nothing.

        `actor` is the person who acts, None when the caller does not say. Raises RefusedRequestError.
        """
        if self.state is RESULT[act]:
            return self
        if self.state not in _FROM[act]:
            raise RefusedRequestError("alerts.wrong-state", f"an alert that is {self.state} cannot be {RESULT[act]}")
        if act in {Act.DISPATCH, Act.CLOSE} and self.recorded and self.state in _UNSEEN:
            detail = f"a person must verify what a camera saw before it is {RESULT[act]} ({_ARTICLE_41})"
            raise RefusedRequestError(UNREVIEWED_RECORDING, detail)
        if act is Act.REJECT and not reason.strip():
            raise RefusedRequestError("alerts.reason-missing", "a rejection needs a reason", status=422)
        if act is Act.CLOSE and actor is not None and actor == self.dispatcher:
            raise RefusedRequestError("alerts.four-eyes", "who dispatched an alert does not close it")
        dispatcher = actor if act is Act.DISPATCH else self.dispatcher
        return replace(self, state=RESULT[act], dispatcher=dispatcher)
