"""Tables of anomalies, and of what the detectors know of each device between batches."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.base import Base, Json, Serial


class Anomaly(Base):
    """Something wrong, found by a detector, with what it is linked to.

    `id` follows from what was found (rule, gateway, device, when it began), so that finding it again, live or in a late
    backlog, changes nothing. `key` names the condition and so the alert. `decided_at` is the device time that settled
    it, `detected_at` when the hub saw that. `withdrawn_at` is set when late data showed that it never was. `summary` is
    its measure ("148 m"), without words, so it may be empty.
    """

    __tablename__ = "anomaly"
    __table_args__ = (
        Index("ix_anomaly_device_began", "gateway", "device", "began_at"),
        Index("ix_anomaly_began", "began_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(300), index=True)
    type: Mapped[str] = mapped_column(String(128))
    severity: Mapped[str] = mapped_column(String(16))
    gateway: Mapped[str] = mapped_column(String(64))
    device: Mapped[str] = mapped_column(String(64))
    subject_id: Mapped[UUID | None] = mapped_column(ForeignKey("subject.id"), index=True)
    grid_id: Mapped[str | None] = mapped_column(ForeignKey("grid.id"), index=True)
    officer_id: Mapped[UUID | None] = mapped_column(ForeignKey("officer.id"))
    began_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    decided_at: Mapped[datetime]
    detected_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]
    summary: Mapped[str] = mapped_column(String(1000))
    data: Mapped[dict[str, Any]] = mapped_column(Json)
    images: Mapped[dict[str, Any]] = mapped_column(Json)


class Watch(Base):
    """What the detectors know of one device.

    `track` is the state of the location detectors after the fix at `through_us`. `heard` and `fixes` are the stretches
    in which anything, and fixes, came without a silence (device time, microseconds since 1970-01-01 UTC), received
    last at `heard_at` and `fixes_at` by the hub's clock. `overdue` says that a silence that lasts was told.
    """

    __tablename__ = "watch"

    gateway: Mapped[str] = mapped_column(String(64), primary_key=True)
    device: Mapped[str] = mapped_column(String(64), primary_key=True)
    track: Mapped[bytes | None] = mapped_column(LargeBinary)
    through_us: Mapped[int | None] = mapped_column(BigInteger)
    heard: Mapped[list[Any]] = mapped_column(Json)
    fixes: Mapped[list[Any]] = mapped_column(Json)
    heard_at: Mapped[datetime | None]
    fixes_at: Mapped[datetime | None]
    overdue: Mapped[bool] = mapped_column(default=False)


class TrackCheckpoint(Base):
    """The state of the location detectors after the fix at `at_us`, from where a track can be judged again."""

    __tablename__ = "track_checkpoint"

    gateway: Mapped[str] = mapped_column(String(64), primary_key=True)
    device: Mapped[str] = mapped_column(String(64), primary_key=True)
    at_us: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    state: Mapped[bytes] = mapped_column(LargeBinary)


class LateFix(Base):
    """Fixes that came after later ones had been judged: from `at_us` on the track has to be judged again."""

    __tablename__ = "late_fix"
    __table_args__ = (Index("ix_late_fix_device", "gateway", "device"),)

    number: Mapped[int] = mapped_column(Serial, primary_key=True)
    gateway: Mapped[str] = mapped_column(String(64))
    device: Mapped[str] = mapped_column(String(64))
    at_us: Mapped[int] = mapped_column(BigInteger)
