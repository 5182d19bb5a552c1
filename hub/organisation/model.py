"""Tables of the organisation."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.base import Base


class OrgUnit(Base):
    """A node of the organisation. `id` is its path, `JM/S1/Q1/D1`: bureau, station, squad, segment."""

    __tablename__ = "org_unit"

    id: Mapped[str] = mapped_column(String(128), primary_key=True)
    name: Mapped[str] = mapped_column(String(128))
    level: Mapped[str] = mapped_column(String(16))
    parent_id: Mapped[str | None] = mapped_column(ForeignKey("org_unit.id"), index=True)
    version: Mapped[int] = mapped_column(default=1)


class Officer(Base):
    """A person of the bureau. An `assistant` may patrol and report, never inspect (国办发〔2024〕54号)."""

    __tablename__ = "officer"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(128))
    kind: Mapped[str] = mapped_column(String(16))
    certified: Mapped[bool] = mapped_column(default=False)
    unit_id: Mapped[str | None] = mapped_column(ForeignKey("org_unit.id"), index=True)
    phone: Mapped[str] = mapped_column(String(32), default="")
    active: Mapped[bool] = mapped_column(default=True)
    version: Mapped[int] = mapped_column(default=1)


class Duty(Base):
    """A line of the roster: who holds which grid, from when to when (exclusive), as `holder` or `deputy`."""

    __tablename__ = "duty"
    __table_args__ = (
        Index("ix_duty_grid_since", "grid_id", "since"),
        Index("ix_duty_officer_since", "officer_id", "since"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    officer_id: Mapped[UUID] = mapped_column(ForeignKey("officer.id"))
    grid_id: Mapped[str] = mapped_column(ForeignKey("grid.id"))
    role: Mapped[str] = mapped_column(String(16), default="holder")
    since: Mapped[datetime]
    until: Mapped[datetime]
