"""The table of the legal register."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import ForeignKeyConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.base import Base, Json


class Register(Base):
    """What is registered of one recording device.

    `open_items` counts what was missing when it was written, without the filing, which is late after `filing_due_on`:
    so that lists need not judge each row.
    """

    __tablename__ = "device_register"
    __table_args__ = (ForeignKeyConstraint(["gateway", "device"], ["device.gateway", "device.device"]),)

    gateway: Mapped[str] = mapped_column(String(64), primary_key=True)
    device: Mapped[str] = mapped_column(String(64), primary_key=True)
    purpose: Mapped[str] = mapped_column(String(200))
    basis: Mapped[str] = mapped_column(String(200))
    public_place: Mapped[bool]
    in_use_since: Mapped[date | None]
    review: Mapped[dict[str, Any] | None] = mapped_column(Json)
    sign: Mapped[dict[str, Any] | None] = mapped_column(Json)
    sign_photo: Mapped[str | None] = mapped_column(String(64))
    location: Mapped[dict[str, Any] | None] = mapped_column(Json)
    zones: Mapped[dict[str, Any]] = mapped_column(Json)
    filing: Mapped[dict[str, Any] | None] = mapped_column(Json)
    retention_days: Mapped[int | None]
    note: Mapped[str] = mapped_column(String(1000))
    open_items: Mapped[int]
    filing_due_on: Mapped[date | None]
    changed_at: Mapped[datetime]
    changed_by: Mapped[str] = mapped_column(String(200))
    version: Mapped[int] = mapped_column(default=1)
