"""Shapes of tasks at the HTTP border."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from hub.api.times import Instant
from hub.api.values import Line
from hub.grids.schemas import GridId
from hub.tasks.model import Task

State = Literal["open", "accepted", "done", "cancelled"]
TaskKind = Annotated[Line, StringConstraints(max_length=32)]
Result = Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\x00]*$")]


class TaskIn(BaseModel):
    """A task to open. Without an officer it waits for one to accept it."""

    model_config = ConfigDict(extra="forbid")

    kind: TaskKind = Field(description="patrol, verify, mend …; never an inspection for an assistant")
    title: Line
    subject: UUID | None = None
    grid: GridId | None = Field(default=None, description="The subject's grid when left out")
    officer: UUID | None = None
    due_at: Instant | None = None


class AcceptIn(BaseModel):
    """Who accepts; may be left out where the task has an officer."""

    model_config = ConfigDict(extra="forbid")

    officer: UUID | None = None


class CompleteIn(BaseModel):
    """What came of it."""

    model_config = ConfigDict(extra="forbid")

    result: Result = ""


class CancelIn(BaseModel):
    """Why it is given up."""

    model_config = ConfigDict(extra="forbid")

    reason: Line


class TaskOut(BaseModel):
    """A task."""

    id: UUID
    kind: str
    title: str
    state: State
    subject: UUID | None
    grid: str | None
    officer: UUID | None
    alert: UUID | None
    created_at: datetime
    created_by: str
    due_at: datetime | None
    done_at: datetime | None
    result: str
    version: int

    @classmethod
    def of(cls, row: Task) -> Self:
        """Return the shape of a row."""
        return cls.model_validate(
            {
                "id": row.id,
                "kind": row.kind,
                "title": row.title,
                "state": row.state,
                "subject": row.subject_id,
                "grid": row.grid_id,
                "officer": row.officer_id,
                "alert": row.alert_id,
                "created_at": row.created_at,
                "created_by": row.created_by,
                "due_at": row.due_at,
                "done_at": row.done_at,
                "result": row.result,
                "version": row.version,
            }
        )
