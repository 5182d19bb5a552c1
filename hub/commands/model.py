"""The table of commands."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.base import Base, Json


class IssuedCommand(Base):
    """An order and what became of it. `state` is `pending` until the reply: done, failed, expired or unsupported."""

    __tablename__ = "command"
    __table_args__ = (Index("ix_command_state_gateway", "state", "gateway"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    gateway: Mapped[str] = mapped_column(ForeignKey("gateway.gateway"))
    device: Mapped[str | None] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(128))
    args: Mapped[dict[str, Any]] = mapped_column(Json)
    issued_by: Mapped[str] = mapped_column(String(128))
    issued_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    times_sent: Mapped[int] = mapped_column(default=0)
    state: Mapped[str] = mapped_column(String(16), default="pending")
    data: Mapped[dict[str, Any] | None] = mapped_column(Json)
    replied_at: Mapped[datetime | None]
