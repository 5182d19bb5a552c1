"""The table of device models."""

from datetime import datetime
from typing import Any

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.base import Base, Json


class DeviceModelRow(Base):
    """One model, whole, as it was written. `origin` is `file` or `api`: files do not change what people changed."""

    __tablename__ = "device_model"

    model: Mapped[str] = mapped_column(String(64), primary_key=True)
    document: Mapped[dict[str, Any]] = mapped_column(Json)
    origin: Mapped[str] = mapped_column(String(8))
    changed_at: Mapped[datetime]
    changed_by: Mapped[str] = mapped_column(String(200))
    version: Mapped[int] = mapped_column(default=1)
