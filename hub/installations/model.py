"""The table of installations."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.base import Base, Json


class InstallationState(StrEnum):
    """How far an installation has come."""

    OPEN = "open"
    CERTIFIED = "certified"
    GIVEN_UP = "given_up"


class Installation(Base):
    """One installation of a box; a gateway has at most one that is open.

    Position in WGS-84 degrees as the installer took it, `accuracy_m` the radius that the average of `fixes` is good to.
    `trial` holds the commands of the last trial: when they were asked, and their ids by device. `content` is what the
    certificate says, `digest` the SHA-256 of it, and `number` its name on paper.
    """

    __tablename__ = "installation"
    __table_args__ = (
        Index(
            "uq_installation_open",
            "gateway",
            unique=True,
            sqlite_where=text("state = 'open'"),
            postgresql_where=text("state = 'open'"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    gateway: Mapped[str] = mapped_column(ForeignKey("gateway.gateway"), index=True)
    state: Mapped[str] = mapped_column(String(16), default=InstallationState.OPEN.value)
    installer: Mapped[str] = mapped_column(String(100))
    opened_at: Mapped[datetime]
    subject_id: Mapped[UUID | None] = mapped_column(ForeignKey("subject.id"), index=True)
    latitude: Mapped[float | None]
    longitude: Mapped[float | None]
    accuracy_m: Mapped[float | None]
    fixes: Mapped[int | None]
    placed_at: Mapped[datetime | None]
    trial: Mapped[dict[str, Any] | None] = mapped_column(Json)
    number: Mapped[str | None] = mapped_column(String(24), unique=True)
    certified_at: Mapped[datetime | None]
    content: Mapped[dict[str, Any] | None] = mapped_column(Json)
    digest: Mapped[str | None] = mapped_column(String(64))
    printing: Mapped[UUID | None] = mapped_column(ForeignKey("command.id", ondelete="SET NULL"))
    version: Mapped[int] = mapped_column(default=1)
