"""The table of uploads. How far one has come is not here: that is the size of its file."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.base import Base, Json


class Upload(Base):
    """A file on its way. `sender` is `gateway:<id>` or `key:<id>`; nobody else may touch it.

    `state` is open, kept (its bytes are footage now), refused (other bytes than declared) or expired. `touched_at` is
    when a request last began to bring bytes, to the hour.
    """

    __tablename__ = "upload"
    __table_args__ = (
        Index("ix_upload_sender_sha256", "sender", "sha256"),
        Index("ix_upload_state_touched", "state", "touched_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    sender: Mapped[str] = mapped_column(String(80))
    gateway: Mapped[str | None] = mapped_column(String(64))
    length: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    metadata_text: Mapped[str] = mapped_column(String(8192), default="")
    declared: Mapped[dict[str, Any]] = mapped_column(Json)
    state: Mapped[str] = mapped_column(String(16), default="open")
    created_at: Mapped[datetime]
    touched_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
