"""Tables of what devices report beside telemetry: every event message and every receipt, as it came."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.base import Base, Json, Serial


class EventMessage(Base):
    """One message of a happening; those of the same happening (began, ongoing, ended) share `event`."""

    __tablename__ = "event_message"
    __table_args__ = (
        UniqueConstraint("gateway", "event", "state", "at"),
        Index("ix_event_message_device_at", "gateway", "device", "at"),
        Index("ix_event_message_at", "at", "number"),
    )

    number: Mapped[int] = mapped_column(Serial, primary_key=True)
    gateway: Mapped[str] = mapped_column(String(64))
    device: Mapped[str] = mapped_column(String(64))
    event: Mapped[UUID]
    type: Mapped[str] = mapped_column(String(128))
    severity: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16))
    at: Mapped[datetime]
    received_at: Mapped[datetime]
    score: Mapped[float | None]
    data: Mapped[dict[str, Any]] = mapped_column(Json)
    images: Mapped[list[Any]] = mapped_column(Json)
    clip: Mapped[dict[str, Any] | None] = mapped_column(Json)
    extra: Mapped[dict[str, Any] | None] = mapped_column(Json)


class ReceiptMessage(Base):
    """What became of a job that a device did."""

    __tablename__ = "receipt_message"
    __table_args__ = (UniqueConstraint("gateway", "device", "job", "result", "at"),)

    number: Mapped[int] = mapped_column(Serial, primary_key=True)
    gateway: Mapped[str] = mapped_column(String(64))
    device: Mapped[str] = mapped_column(String(64))
    job: Mapped[str] = mapped_column(String(128))
    result: Mapped[str] = mapped_column(String(128))
    detail: Mapped[str] = mapped_column(String(4096))
    at: Mapped[datetime]
    received_at: Mapped[datetime]
    extra: Mapped[dict[str, Any] | None] = mapped_column(Json)
