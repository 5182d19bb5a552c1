"""Tables of grids: as they are, and as they were."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.base import Base, Json


class Grid(Base):
    """A unit grid. `id` is the 12-digit division code and a 2-digit sequence; `geometry` a GeoJSON (multi)polygon.

    `valid_to` is set when the grid was given up; what refers to it still finds it. `version` grows with each change.
    """

    __tablename__ = "grid"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(128))
    unit_id: Mapped[str | None] = mapped_column(ForeignKey("org_unit.id"), index=True)
    geometry: Mapped[dict[str, Any]] = mapped_column(Json)
    valid_from: Mapped[datetime]
    valid_to: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)


class GridVersion(Base):
    """A grid as it was from `valid_from` until `valid_to` (exclusive; null: as it is). Only its end is ever written."""

    __tablename__ = "grid_version"

    grid_id: Mapped[str] = mapped_column(ForeignKey("grid.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(128))
    unit_id: Mapped[str | None] = mapped_column(ForeignKey("org_unit.id"))
    geometry: Mapped[dict[str, Any]] = mapped_column(Json)
    valid_from: Mapped[datetime] = mapped_column(index=True)
    valid_to: Mapped[datetime | None]
