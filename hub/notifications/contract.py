"""What a notification needs to know of an alert."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from protocol.messages import Severity


class Occasion(StrEnum):
    """Why people are told of an alert. One channel is told once of each."""

    RAISED = "raised"
    WORSE = "worse"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertNotice:
    """An alert as people are told of it. `at` is when the condition began, by the device's time.

    `summary` is a measure that needs no language ("148 m"), empty where there is none.
    """

    alert_id: UUID
    key: str
    type: str
    severity: Severity
    summary: str
    subject_id: UUID | None
    subject_name: str | None = None
    grid_id: str | None
    grid_name: str | None = None
    officer_id: UUID | None
    officer_name: str | None = None
    device: str
    gateway: str
    at: datetime
    times_seen: int
