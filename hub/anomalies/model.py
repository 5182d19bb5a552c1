"""The table of anomalies."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.base import Base, Json


class Anomaly(Base):
    """Something wrong, found by a detector, with what it is linked to.

    `id` follows from what was found (rule, gateway, device, when it began), so that finding it again, live or in a late
    backlog, changes nothing. `key` names the condition and so the alert. `withdrawn_at` is set when late data showed
    that it never was.
    """

    __tablename__ = "anomaly"
    __table_args__ = (
        Index("ix_anomaly_device_began", "gateway", "device", "began_at"),
        Index("ix_anomaly_began", "began_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(300), index=True)
    type: Mapped[str] = mapped_column(String(128))
    severity: Mapped[str] = mapped_column(String(16))
    gateway: Mapped[str] = mapped_column(String(64))
    device: Mapped[str] = mapped_column(String(64))
    subject_id: Mapped[UUID | None] = mapped_column(ForeignKey("subject.id"), index=True)
    grid_id: Mapped[str | None] = mapped_column(ForeignKey("grid.id"), index=True)
    officer_id: Mapped[UUID | None] = mapped_column(ForeignKey("officer.id"))
    began_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    detected_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]
    summary: Mapped[str] = mapped_column(String(1000))
    data: Mapped[dict[str, Any]] = mapped_column(Json)
    images: Mapped[list[Any]] = mapped_column(Json)
