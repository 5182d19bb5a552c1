"""Tables of footage, and of what people did with it. The acts themselves stand in the custody log too."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.base import Base, Json


class Footage(Base):
    """One clip, named by the SHA-256 of its bytes.

    `state` is expected (a recorder told of it, its bytes are still on the way), kept or deleted. `at` is when it began,
    or when the hub first heard of it. `facts` is what the recorder's event says; the officer's and the unit's number in
    it are claims of a file name.
    `officer_by` and `subject_by` say how a link came about: device, claim, task, track or person; empty for none.
    """

    __tablename__ = "footage"
    __table_args__ = (
        Index("ix_footage_at", "at", "id"),
        Index("ix_footage_officer_at", "officer_id", "at"),
        Index("ix_footage_claimed_officer", "claimed_officer", "at"),
        Index("ix_footage_claimed_unit", "claimed_unit", "at"),
        Index("ix_footage_state_received", "state", "received_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    sm3: Mapped[str] = mapped_column(String(64), default="")
    size: Mapped[int | None] = mapped_column(BigInteger)
    content_type: Mapped[str] = mapped_column(String(64), default="application/octet-stream")
    state: Mapped[str] = mapped_column(String(16))
    gateway: Mapped[str | None] = mapped_column(String(64))
    device: Mapped[str | None] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(255), default="")
    at: Mapped[datetime]
    began_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    playable: Mapped[bool | None]
    facts: Mapped[dict[str, Any]] = mapped_column(Json)
    claimed_officer: Mapped[str] = mapped_column(String(64), default="")
    claimed_unit: Mapped[str] = mapped_column(String(64), default="")
    category: Mapped[str] = mapped_column(String(32), default="ordinary")
    officer_id: Mapped[UUID | None] = mapped_column(ForeignKey("officer.id"))
    officer_by: Mapped[str] = mapped_column(String(16), default="")
    grid_id: Mapped[str | None] = mapped_column(ForeignKey("grid.id"))
    subject_id: Mapped[UUID | None] = mapped_column(ForeignKey("subject.id"), index=True)
    subject_by: Mapped[str] = mapped_column(String(16), default="")
    task_id: Mapped[UUID | None] = mapped_column(ForeignKey("task.id"), index=True)
    received_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)


class FootageViewing(Base):
    """A stated reason to see a clip (公共安全视频图像信息系统管理条例 Art. 16(3): reason, content, unit, name)."""

    __tablename__ = "footage_viewing"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    footage_id: Mapped[UUID] = mapped_column(ForeignKey("footage.id"), index=True)
    key_id: Mapped[str] = mapped_column(String(12))
    at: Mapped[datetime]
    until: Mapped[datetime]
    reason: Mapped[str] = mapped_column(String(200))
    content: Mapped[str] = mapped_column(String(200))
    unit: Mapped[str] = mapped_column(String(200))
    name: Mapped[str] = mapped_column(String(200))


class FootageHold(Base):
    """A reason why a clip must not be deleted, until somebody lifts it."""

    __tablename__ = "footage_hold"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    footage_id: Mapped[UUID] = mapped_column(ForeignKey("footage.id"), index=True)
    reason: Mapped[str] = mapped_column(String(200))
    name: Mapped[str] = mapped_column(String(200))
    set_at: Mapped[datetime]
    lifted_at: Mapped[datetime | None]
    lifted_reason: Mapped[str] = mapped_column(String(200), default="")
    lifted_name: Mapped[str] = mapped_column(String(200), default="")


class FootageExport(Base):
    """A clip handed out as a bundle. `description` is the bundle's metadata.json, byte for byte."""

    __tablename__ = "footage_export"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    footage_id: Mapped[UUID] = mapped_column(ForeignKey("footage.id"), index=True)
    at: Mapped[datetime]
    reason: Mapped[str] = mapped_column(String(200))
    unit: Mapped[str] = mapped_column(String(200))
    name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str]
