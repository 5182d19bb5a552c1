"""From a raw recording to evidence: reviewed by one officer, admitted by another. Pure.

行政处罚法 (2021-07-15) Art. 41: what was recorded by technical monitoring and is not reviewed, or did not pass, is no
ground for a penalty; the devices are reviewed themselves, marked plainly, and their places published. An assistant
takes no part in enforcement (国办发〔2024〕54号).
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from protocol.errors import RefusedRequestError

ARTICLE_41: Final = "行政处罚法第四十一条 (Administrative Penalty Law, Art. 41)"
DOCUMENT_54: Final = "国办发〔2024〕54号"
REGISTERED: Final = ("review", "sign", "location")
"""Items of the device's legal register without which nothing that it recorded is admitted."""


class State(StrEnum):
    """How far a recording has come."""

    RAW = "raw"
    REVIEWED = "reviewed"
    ADMITTED = "admitted"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Officer:
    """Who acts, as far as the rules look at it."""

    id: UUID
    active: bool
    certified: bool
    """Staff with an enforcement certificate."""


def reviewed(state: State, officer: Officer, *, legal: bool, technical: bool) -> State:
    """Return the state after a legal and technical review. Raises RefusedRequestError."""
    _able(officer)
    if state is not State.RAW:
        raise RefusedRequestError("evidence.wrong-state", f"what is {state} is not reviewed again")
    return State.REVIEWED if legal and technical else State.REJECTED


def admitted(state: State, officer: Officer, *, reviewer: UUID | None, unregistered: Collection[str]) -> State:
    """Return the state after an admission.

    `unregistered` names what is missing in the legal register of the device. Raises RefusedRequestError.
    """
    _able(officer)
    if state is not State.REVIEWED:
        detail = f"what is {state} cannot be admitted: it is reviewed first ({ARTICLE_41})"
        raise RefusedRequestError("evidence.unreviewed", detail)
    if officer.id == reviewer:
        raise RefusedRequestError("evidence.four-eyes", "who reviewed a recording does not admit it")
    if unregistered:
        detail = f"the legal register of the device lacks {', '.join(sorted(unregistered))} ({ARTICLE_41})"
        raise RefusedRequestError("evidence.device-not-registered", detail)
    return State.ADMITTED


def usable(state: State) -> None:
    """Raise RefusedRequestError unless a penalty may rest on it."""
    if state is not State.ADMITTED:
        detail = (
            f"a recording that is {state} is no ground for a penalty: it is reviewed and admitted first ({ARTICLE_41})"
        )
        raise RefusedRequestError("evidence.unreviewed", detail)


def _able(officer: Officer) -> None:
    if not officer.active or not officer.certified:
        detail = f"only an active officer with an enforcement certificate decides on evidence ({DOCUMENT_54})"
        raise RefusedRequestError("evidence.not-certified", detail)
