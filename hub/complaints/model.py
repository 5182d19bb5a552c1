"""Tables of complaints, and of who looked at whose name behind one and why."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.base import Base


class Complaint(Base):
    """What somebody complained about, reported or suggested. `state` is received, accepted, refused or duplicate.

    `person` and `phone` are shown only by leave of a reason; `photo` is the SHA-256 of a picture.
    """

    __tablename__ = "complaint"
    __table_args__ = (Index("ix_complaint_received", "received_at", "id"), Index("ix_complaint_state", "state"))

    id: Mapped[UUID] = mapped_column(primary_key=True)
    receipt: Mapped[str] = mapped_column(String(16), unique=True)
    received_at: Mapped[datetime]
    kiosk_id: Mapped[UUID | None] = mapped_column(ForeignKey("kiosk.id"))
    kind: Mapped[str] = mapped_column(String(16))
    what: Mapped[str] = mapped_column(String(2000))
    place: Mapped[str] = mapped_column(String(300))
    subject_id: Mapped[UUID | None] = mapped_column(ForeignKey("subject.id"), index=True)
    person: Mapped[str] = mapped_column(String(64))
    phone: Mapped[str] = mapped_column(String(32))
    photo: Mapped[str | None] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16), default="received")
    state_at: Mapped[datetime]
    sorted_by: Mapped[str] = mapped_column(String(200), default="")
    note: Mapped[str] = mapped_column(String(1000), default="")
    version: Mapped[int] = mapped_column(default=1)


class ReporterViewing(Base):
    """Somebody saw who complained: when, who and why. Never changed, never deleted."""

    __tablename__ = "reporter_viewing"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    complaint_id: Mapped[UUID] = mapped_column(ForeignKey("complaint.id"), index=True)
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(200))
    reason: Mapped[str] = mapped_column(String(1000))
