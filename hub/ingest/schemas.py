"""Shapes of dead letters at the HTTP border."""

import base64
from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, Field

from hub.ingest.model import DeadLetter


class DeadLetterOut(BaseModel):
    """Something that came over the wire and could not be used."""

    id: UUID
    at: datetime
    gateway: str
    topic: str
    part: str = Field(description="message, record, value or image")
    batch: UUID | None
    position: int | None = Field(description="Place of the record in its batch")
    reason: str
    size: int = Field(description="Bytes")
    times_seen: int
    replayed_at: datetime | None
    replay_result: str | None = Field(description="`stored`, or why it still could not be used")

    @classmethod
    def of(cls, row: DeadLetter) -> Self:
        """Return the shape of a row, without its bytes."""
        return cls(
            id=row.id,
            at=row.at,
            gateway=row.gateway,
            topic=row.topic,
            part=row.part,
            batch=row.batch,
            position=row.position,
            reason=row.reason,
            size=row.size,
            times_seen=row.times_seen,
            replayed_at=row.replayed_at,
            replay_result=row.replay_result,
        )


class DeadLetterDetail(DeadLetterOut):
    """A dead letter with its bytes: as text where they are UTF-8, else as base64."""

    text: str | None = None
    base64: str | None = None

    @classmethod
    def whole(cls, row: DeadLetter) -> Self:
        """Return the shape of a row with its bytes."""
        shape = cls.of(row)
        try:
            return shape.model_copy(update={"text": row.payload.decode("utf-8")})
        except UnicodeDecodeError:
            return shape.model_copy(update={"base64": base64.b64encode(row.payload).decode()})
