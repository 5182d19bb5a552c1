"""Tables of evidence, and of the penalty files that rest on it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, ForeignKeyConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.base import Base, Json


class Evidence(Base):
    """A happening that a device recorded, once somebody has looked at it; `acts` is what was done, in order."""

    __tablename__ = "evidence"

    gateway: Mapped[str] = mapped_column(String(64), primary_key=True)
    event: Mapped[UUID] = mapped_column(primary_key=True)
    device: Mapped[str] = mapped_column(String(64))
    type: Mapped[str] = mapped_column(String(128))
    at: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(16), index=True)
    reviewer_id: Mapped[UUID | None] = mapped_column(ForeignKey("officer.id"))
    admitter_id: Mapped[UUID | None] = mapped_column(ForeignKey("officer.id"))
    acts: Mapped[list[Any]] = mapped_column(Json)
    changed_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)


class EvidenceUse(Base):
    """A penalty file that rests on a piece of evidence."""

    __tablename__ = "evidence_use"
    __table_args__ = (ForeignKeyConstraint(["gateway", "event"], ["evidence.gateway", "evidence.event"]),)

    gateway: Mapped[str] = mapped_column(String(64), primary_key=True)
    event: Mapped[UUID] = mapped_column(primary_key=True)
    file: Mapped[str] = mapped_column(String(200), primary_key=True)
    officer_id: Mapped[UUID] = mapped_column(ForeignKey("officer.id"))
    at: Mapped[datetime]
