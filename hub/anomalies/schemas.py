"""Shapes of anomalies at the HTTP border."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel

from hub.anomalies.model import Anomaly
from hub.words.catalogue import described
from protocol.messages import Severity


class AnomalyOut(BaseModel):
    """Something wrong that the hub found. `at` is when it began, by the device's time; an empty device: the gateway.

    `summary` says it in English, `measure` is the quantity in it ("148 m"), empty where there is none.
    """

    id: UUID
    key: str
    type: str
    severity: Severity
    gateway: str
    device: str
    subject: UUID | None
    grid: str | None
    officer: UUID | None
    at: datetime
    ended_at: datetime | None
    detected_at: datetime
    withdrawn_at: datetime | None
    summary: str
    measure: str
    data: dict[str, Any]
    images: list[str]

    @classmethod
    def of(cls, row: Anomaly) -> Self:
        """Return the shape of a row."""
        return cls.model_validate(
            {
                "id": row.id,
                "key": row.key,
                "type": row.type,
                "severity": row.severity,
                "gateway": row.gateway,
                "device": row.device,
                "subject": row.subject_id,
                "grid": row.grid_id,
                "officer": row.officer_id,
                "at": row.began_at,
                "ended_at": row.ended_at,
                "detected_at": row.detected_at,
                "withdrawn_at": row.withdrawn_at,
                "summary": described(row.type, row.summary, "en"),
                "measure": row.summary,
                "data": row.data,
                "images": sorted(row.images, key=lambda image: (row.images[image], image)),
            }
        )
