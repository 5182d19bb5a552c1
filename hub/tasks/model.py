"""The table of tasks."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.base import Base


class Task(Base):
    """A work order. `kind` is never an inspection here: it asks somebody to look (patrol, verify, mend a device).

    `state` is open, accepted, done or cancelled. At most one task comes of one alert.
    """

    __tablename__ = "task"
    __table_args__ = (Index("ix_task_created", "created_at", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    title: Mapped[str] = mapped_column(String(300))
    state: Mapped[str] = mapped_column(String(16), default="open")
    subject_id: Mapped[UUID | None] = mapped_column(ForeignKey("subject.id"), index=True)
    grid_id: Mapped[str | None] = mapped_column(ForeignKey("grid.id"), index=True)
    officer_id: Mapped[UUID | None] = mapped_column(ForeignKey("officer.id"), index=True)
    alert_id: Mapped[UUID | None] = mapped_column(ForeignKey("alert.id"), unique=True)
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(128))
    due_at: Mapped[datetime | None]
    done_at: Mapped[datetime | None]
    result: Mapped[str] = mapped_column(String(1000), default="")
    version: Mapped[int] = mapped_column(default=1)
