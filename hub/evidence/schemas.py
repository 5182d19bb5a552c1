"""Shapes of evidence at the HTTP border."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, StrictBool, StringConstraints

from hub.api.values import Line
from hub.events.model import EventMessage
from hub.evidence.lifecycle import State
from hub.evidence.model import Evidence

Reason = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00]*\S[^\x00]*$")]


class ActIn(BaseModel):
    """An act upon a recording: which officer decides, and why."""

    model_config = ConfigDict(extra="forbid")

    officer: UUID
    reason: Reason


class ReviewIn(ActIn):
    """What a review found (行政处罚法 Art. 41)."""

    legal: StrictBool
    technical: StrictBool


class UseIn(ActIn):
    """The penalty file that is to rest on it."""

    file: Line


class DoneOut(BaseModel):
    """Something that was done: by which officer, with which key, when and why."""

    at: datetime
    act: str
    officer: UUID
    key: str
    reason: str
    data: dict[str, Any]


class EvidenceOut(BaseModel):
    """A happening as evidence; raw until somebody has reviewed it."""

    gateway: str
    event: UUID
    device: str
    type: str
    at: datetime
    state: State
    reviewer: UUID | None
    admitter: UUID | None
    acts: list[DoneOut]
    files: list[str]
    version: int

    @classmethod
    def of(cls, row: Evidence, files: Sequence[str] = ()) -> Self:
        """Return the shape of a row and the files that rest on it."""
        own = {"reviewer": row.reviewer_id, "admitter": row.admitter_id, "files": list(files)}
        return cls.model_validate({name: own[name] if name in own else getattr(row, name) for name in cls.model_fields})

    @classmethod
    def raw(cls, message: EventMessage) -> Self:
        """Return the shape of a happening that nobody has looked at."""
        return cls(
            gateway=message.gateway,
            event=message.event,
            device=message.device,
            type=message.type,
            at=message.at,
            state=State.RAW,
            reviewer=None,
            admitter=None,
            acts=[],
            files=[],
            version=0,
        )
