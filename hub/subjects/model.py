"""Tables of subjects and their archives."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.base import Base, Json, Serial


class Subject(Base):
    """A business. `uscc` is its unified social credit code (GB 32100-2015), `category` one of the nine classes."""

    __tablename__ = "subject"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200), index=True)
    uscc: Mapped[str | None] = mapped_column(String(18), unique=True)
    licence: Mapped[str | None] = mapped_column(String(32), index=True)
    category: Mapped[str] = mapped_column(String(32), default="")
    status: Mapped[str] = mapped_column(String(16), default="operating")
    status_at: Mapped[datetime]
    address: Mapped[str] = mapped_column(String(300), default="")
    latitude: Mapped[float | None]
    longitude: Mapped[float | None]
    grid_id: Mapped[str | None] = mapped_column(ForeignKey("grid.id"), index=True)
    created_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)


class ArchiveEntry(Base):
    """One line of a subject's timeline. Never changed, never deleted; the same (kind, ref) is written once."""

    __tablename__ = "archive_entry"
    __table_args__ = (
        UniqueConstraint("subject_id", "kind", "ref"),
        Index("ix_archive_entry_subject_at", "subject_id", "at", "number"),
    )

    number: Mapped[int] = mapped_column(Serial, primary_key=True)
    subject_id: Mapped[UUID] = mapped_column(ForeignKey("subject.id"))
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(64))
    summary: Mapped[str] = mapped_column(String(1000))
    ref: Mapped[str] = mapped_column(String(200))
    data: Mapped[dict[str, Any]] = mapped_column(Json)
    written_at: Mapped[datetime]
