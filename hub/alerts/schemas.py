"""Shapes of alerts at the HTTP border."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from hub.alerts.lifecycle import AlertState
from hub.alerts.model import AlertAct, AlertRow
from hub.anomalies.model import Anomaly
from hub.anomalies.schemas import AnomalyOut
from hub.api.times import Instant
from hub.api.values import Line
from hub.words.catalogue import described
from protocol.messages import Severity

Reason = Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\x00]*$")]
Actor = Annotated[Line, StringConstraints(max_length=128)]
TaskKind = Annotated[Line, StringConstraints(max_length=32)]


class ActIn(BaseModel):
    """An act upon an alert: who does it, where the key speaks for several people, and why."""

    model_config = ConfigDict(extra="forbid")

    actor: Actor | None = Field(default=None, description="The person who acts; who dispatched may not close")
    reason: Reason = ""


class RejectIn(ActIn):
    """A rejection; it counts against the rule that raised the alert."""

    reason: Reason = Field(min_length=1, description="Why it is no true alarm")


class DispatchIn(ActIn):
    """Sending somebody: opens the alert's one task."""

    officer: UUID | None = Field(default=None, description="Who is sent; the alert's officer when left out")
    kind: TaskKind = Field(default="verify", description="verify, patrol, mend …; never an inspection for an assistant")
    due_at: Instant | None = None


class AlertOut(BaseModel):
    """An alert. `at` is when its condition began, by the device's time; `ended_at` when that was over.

    `summary` says it in English, `measure` is the quantity in it ("148 m"), empty where there is none.
    """

    id: UUID
    key: str
    type: str
    severity: Severity
    state: AlertState
    gateway: str
    device: str
    subject: UUID | None
    grid: str | None
    officer: UUID | None
    summary: str
    measure: str
    at: datetime
    raised_at: datetime
    last_seen_at: datetime
    ended_at: datetime | None
    closed_at: datetime | None
    times_seen: int
    tasks: list[UUID]
    version: int

    @classmethod
    def of(cls, row: AlertRow, tasks: Sequence[UUID] = ()) -> Self:
        """Return the shape of a row."""
        return cls.model_validate(_fields(row, tasks))


class ActOut(BaseModel):
    """Something that was done about an alert, by a person, a key or the hub."""

    at: datetime
    actor: str
    act: str
    reason: str


class AlertWhole(AlertOut):
    """An alert with what was done about it, the anomalies that it counted, and their images (SHA-256)."""

    acts: list[ActOut]
    anomalies: list[AnomalyOut]
    images: list[str]

    @classmethod
    def whole(
        cls, row: AlertRow, tasks: Sequence[UUID], acts: Sequence[AlertAct], anomalies: Sequence[Anomaly]
    ) -> Self:
        """Return the shape of an alert and what belongs to it."""
        told = [{"at": act.at, "actor": act.actor, "act": act.act, "reason": act.reason} for act in acts]
        counted = [AnomalyOut.of(anomaly) for anomaly in anomalies]
        images = list(dict.fromkeys(image for anomaly in counted for image in anomaly.images))
        return cls.model_validate(_fields(row, tasks) | {"acts": told, "anomalies": counted, "images": images})


def _fields(row: AlertRow, tasks: Sequence[UUID]) -> dict[str, Any]:
    return {
        "id": row.id,
        "key": row.key,
        "type": row.type,
        "severity": row.severity,
        "state": row.state,
        "gateway": row.gateway,
        "device": row.device,
        "subject": row.subject_id,
        "grid": row.grid_id,
        "officer": row.officer_id,
        "summary": described(row.type, row.summary, "en"),
        "measure": row.summary,
        "at": row.began_at,
        "raised_at": row.raised_at,
        "last_seen_at": row.last_seen_at,
        "ended_at": row.condition_ended_at,
        "closed_at": row.closed_at,
        "times_seen": row.times_seen,
        "tasks": list(tasks),
        "version": row.version,
    }
