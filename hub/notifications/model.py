"""Tables of notifications: the channels, and the ledger of what went where."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.base import Base, Json


class Channel(Base):
    """A way to tell somebody: `webhook` (signed HTTP POST) or `console`. `secret` signs and is never shown again."""

    __tablename__ = "channel"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(128), unique=True)
    kind: Mapped[str] = mapped_column(String(32))
    options: Mapped[dict[str, Any]] = mapped_column(Json)
    secret: Mapped[str] = mapped_column(String(200), default="")
    minimum_severity: Mapped[str] = mapped_column(String(16), default="minor")
    enabled: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)


class Notification(Base):
    """One message to one channel. `occasion` says why (raised, worse, ended); the three together happen once."""

    __tablename__ = "notification"
    __table_args__ = (UniqueConstraint("alert_id", "channel_id", "occasion"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    alert_id: Mapped[UUID] = mapped_column(ForeignKey("alert.id"), index=True)
    channel_id: Mapped[UUID] = mapped_column(ForeignKey("channel.id"))
    occasion: Mapped[str] = mapped_column(String(32))
    state: Mapped[str] = mapped_column(String(16), default="queued")
    tries: Mapped[int] = mapped_column(default=0)
    queued_at: Mapped[datetime] = mapped_column(index=True)
    accepted_at: Mapped[datetime | None]
    last_error: Mapped[str] = mapped_column(Text, default="")
    payload: Mapped[dict[str, Any]] = mapped_column(Json)
