"""The table of kiosks."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, ForeignKeyConstraint, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.base import Base


class Kiosk(Base):
    """A terminal for the public: a device of a gateway, whose page speaks to the hub with the key `key_id`.

    `silence_id` is the anomaly that tells of the silence that lasts. `retired_at` ends it.
    """

    __tablename__ = "kiosk"
    __table_args__ = (
        ForeignKeyConstraint(["gateway", "device"], ["device.gateway", "device.device"]),
        UniqueConstraint("gateway", "device"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    gateway: Mapped[str] = mapped_column(String(64))
    device: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(200))
    place: Mapped[str] = mapped_column(String(300))
    key_id: Mapped[str] = mapped_column(ForeignKey("api_key.id"), unique=True)
    created_at: Mapped[datetime]
    last_heard_at: Mapped[datetime | None]
    page: Mapped[str] = mapped_column(String(64), default="")
    silence_id: Mapped[UUID | None]
    retired_at: Mapped[datetime | None]
