"""Tables of alerts: the alert, the anomalies that it counts, and what people did about it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.base import Base, Serial


class AlertRow(Base):
    """One condition that people must know of. At most one alert per key is open.

    `began_at` is when the condition began by the device's time, `condition_ended_at` when it was over; that closes
    nothing: a person closes. `times_seen` counts its anomalies that were not withdrawn. `summary` is the measure of the
    gravest ("148 m"), without words, so it may be empty.
    """

    __tablename__ = "alert"
    __table_args__ = (
        Index(
            "uq_alert_open_key",
            "key",
            unique=True,
            sqlite_where=text("closed_at IS NULL"),
            postgresql_where=text("closed_at IS NULL"),
        ),
        Index("ix_alert_raised", "raised_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(300), index=True)
    type: Mapped[str] = mapped_column(String(128))
    severity: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16))
    gateway: Mapped[str] = mapped_column(String(64))
    device: Mapped[str] = mapped_column(String(64))
    subject_id: Mapped[UUID | None] = mapped_column(ForeignKey("subject.id"), index=True)
    grid_id: Mapped[str | None] = mapped_column(ForeignKey("grid.id"), index=True)
    officer_id: Mapped[UUID | None] = mapped_column(ForeignKey("officer.id"))
    summary: Mapped[str] = mapped_column(String(1000))
    began_at: Mapped[datetime]
    raised_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    condition_ended_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    times_seen: Mapped[int] = mapped_column(default=1)
    version: Mapped[int] = mapped_column(default=1)


class AlertAnomaly(Base):
    """An anomaly that an alert has counted, once."""

    __tablename__ = "alert_anomaly"

    alert_id: Mapped[UUID] = mapped_column(ForeignKey("alert.id"), primary_key=True)
    anomaly_id: Mapped[UUID] = mapped_column(ForeignKey("anomaly.id"), primary_key=True, index=True)


class AlertAct(Base):
    """One act upon an alert: who, what, when, why. Never changed."""

    __tablename__ = "alert_act"

    number: Mapped[int] = mapped_column(Serial, primary_key=True)
    alert_id: Mapped[UUID] = mapped_column(ForeignKey("alert.id"), index=True)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(128))
    act: Mapped[str] = mapped_column(String(32))
    reason: Mapped[str] = mapped_column(String(1000), default="")
