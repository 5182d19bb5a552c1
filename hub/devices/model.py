"""The table of devices."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.base import Base


class Device(Base):
    """A device of a gateway, known from its first word.

    `subject_id` is the business where it is installed, `officer_id` the officer who carries it; `latitude` and
    `longitude` (WGS-84) are its registered site, null for what moves. `expected_interval_s` is how often it should
    speak: silence is measured against it. `model` is its type, where a person chose one. `gb28181_id` is the number by
    which video platforms know it.
    """

    __tablename__ = "device"

    gateway: Mapped[str] = mapped_column(ForeignKey("gateway.gateway"), primary_key=True)
    device: Mapped[str] = mapped_column(String(64), primary_key=True)
    driver: Mapped[str] = mapped_column(String(128), default="")
    status: Mapped[str] = mapped_column(String(16), default="ok")
    status_since: Mapped[datetime | None]
    detail: Mapped[str] = mapped_column(String(4096), default="")
    first_seen_at: Mapped[datetime]
    last_seen_at: Mapped[datetime | None]
    subject_id: Mapped[UUID | None] = mapped_column(ForeignKey("subject.id"), index=True)
    officer_id: Mapped[UUID | None] = mapped_column(ForeignKey("officer.id"), index=True)
    latitude: Mapped[float | None]
    longitude: Mapped[float | None]
    expected_interval_s: Mapped[float | None]
    model: Mapped[str | None] = mapped_column(ForeignKey("device_model.model"))
    gb28181_id: Mapped[str | None] = mapped_column(String(20), unique=True)
    version: Mapped[int] = mapped_column(default=1)
