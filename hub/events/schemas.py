"""The shape of event messages at the HTTP border."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, Field

from hub.events.model import EventMessage


class EventOut(BaseModel):
    """One message of a happening, as it came."""

    number: int = Field(description="Unique per message; messages of one happening share `id`")
    id: UUID
    type: str
    severity: str
    state: str = Field(description="began, ongoing, ended or instant")
    gateway: str
    device: str
    subject: UUID | None = Field(description="The business that the device belongs to now")
    at: datetime
    received_at: datetime
    score: float | None
    data: dict[str, Any]
    images: list[str]
    clip: dict[str, Any] | None
    extra: dict[str, Any] | None = Field(description="What this version of the contract does not know, and flags")

    @classmethod
    def of(cls, row: EventMessage) -> Self:
        """Return the shape of a row, without its subject."""
        return cls(
            number=row.number,
            id=row.event,
            type=row.type,
            severity=row.severity,
            state=row.state,
            gateway=row.gateway,
            device=row.device,
            subject=None,
            at=row.at,
            received_at=row.received_at,
            score=row.score,
            data=row.data,
            images=row.images,
            clip=row.clip,
            extra=row.extra,
        )
