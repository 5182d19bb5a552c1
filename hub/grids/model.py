"""The table of grids."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.base import Base, Json


class Grid(Base):
    """A unit grid. `id` is the 12-digit division code and a 2-digit sequence; `geometry` a GeoJSON polygon."""

    __tablename__ = "grid"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(128))
    unit_id: Mapped[str | None] = mapped_column(ForeignKey("org_unit.id"), index=True)
    geometry: Mapped[dict[str, Any]] = mapped_column(Json)
    valid_from: Mapped[datetime]
    valid_to: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)
