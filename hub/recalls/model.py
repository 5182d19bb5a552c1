"""Tables of recalls, of scans of products, and of which recall was found where."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.base import Base, Json


class Recall(Base):
    """A recall of one product: `item` is what its packages share, the rest of the extent is as in `matching.Extent`.

    What it covers never changes: it is withdrawn, and another one is made. `digest` is of what it covers and of the
    document, so that importing a list again adds nothing.
    """

    __tablename__ = "recall"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    gtin: Mapped[str] = mapped_column(String(14), index=True)
    item: Mapped[str] = mapped_column(String(12), index=True)
    batch: Mapped[str | None] = mapped_column(String(64))
    batch_from: Mapped[str | None] = mapped_column(String(64))
    batch_to: Mapped[str | None] = mapped_column(String(64))
    produced_from: Mapped[date | None]
    produced_to: Mapped[date | None]
    level: Mapped[int]
    product: Mapped[str] = mapped_column(String(200))
    reason: Mapped[str] = mapped_column(String(1000))
    article: Mapped[str] = mapped_column(String(200))
    document: Mapped[str] = mapped_column(String(200))
    recalled_on: Mapped[date]
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(200))
    withdrawn_at: Mapped[datetime | None]
    withdrawn_because: Mapped[str] = mapped_column(String(1000), default="")
    version: Mapped[int] = mapped_column(default=1)


class Scan(Base):
    """A product that was scanned, as its event said; `subject_id` is where the scanner belonged then."""

    __tablename__ = "scan"
    __table_args__ = (Index("ix_scan_item", "item", "id"), Index("ix_scan_at", "at", "id"))

    id: Mapped[UUID] = mapped_column(primary_key=True)
    event: Mapped[UUID]
    gateway: Mapped[str] = mapped_column(String(64))
    device: Mapped[str] = mapped_column(String(64))
    subject_id: Mapped[UUID | None] = mapped_column(ForeignKey("subject.id"), index=True)
    at: Mapped[datetime]
    gtin: Mapped[str] = mapped_column(String(14))
    item: Mapped[str] = mapped_column(String(12))
    batch: Mapped[str | None] = mapped_column(String(64))
    serial: Mapped[str | None] = mapped_column(String(64))
    produced: Mapped[date | None]
    expiry: Mapped[date | None]
    flaws: Mapped[list[Any]] = mapped_column(Json)


class RecallHit(Base):
    """A scan that a recall covers, as an anomaly."""

    __tablename__ = "recall_hit"

    recall_id: Mapped[UUID] = mapped_column(ForeignKey("recall.id"), primary_key=True)
    anomaly_id: Mapped[UUID] = mapped_column(ForeignKey("anomaly.id"), primary_key=True)
