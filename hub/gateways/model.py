"""The table of gateways."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.base import Base, Json


class Gateway(Base):
    """A box on site.

    `password_digest` is the SHA-256 of a 256-bit random password, empty for a box that has a certificate instead;
    `credentials_at` is when that last changed. `outbox` is as it last said.

    `state_at` is the gateway's time of its last state and `heard_at` the hub's; `clock_behind_s` is by how much the
    box's clock was behind the hub's then (negative: ahead), null while they agree within a minute.
    """

    __tablename__ = "gateway"

    gateway: Mapped[str] = mapped_column(String(64), primary_key=True)
    password_digest: Mapped[str] = mapped_column(String(64))
    credentials_at: Mapped[datetime]
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    epoch: Mapped[UUID | None]
    online: Mapped[bool] = mapped_column(default=False)
    state_at: Mapped[datetime | None]
    heard_at: Mapped[datetime | None]
    clock_behind_s: Mapped[float | None]
    last_seen_at: Mapped[datetime | None]
    agent: Mapped[str] = mapped_column(String(128), default="")
    config: Mapped[str] = mapped_column(String(4096), default="")
    outbox: Mapped[dict[str, Any] | None] = mapped_column(Json)
