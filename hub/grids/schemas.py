"""Shapes of grids at the HTTP border: GeoJSON (RFC 7946)."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from hub.api.values import Line
from hub.grids.model import Grid, GridVersion

GridId = Annotated[str, StringConstraints(pattern="^[A-Za-z0-9_-]{1,32}$")]
UnitId = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{1,16}(/[A-Z0-9]{1,16}){0,4}$")]
Name = Annotated[Line, StringConstraints(max_length=128)]

MOST_GRIDS = 20_000


class Area(BaseModel):
    """A polygon or several, in degrees of WGS-84, longitude first."""

    type: Literal["Polygon", "MultiPolygon"]
    coordinates: list[list[Any]] = Field(description="As RFC 7946 section 3.1 has it")


class GridProperties(BaseModel):
    """What a grid is called, and whose it is. Other properties are passed over."""

    id: GridId = Field(description="12-digit division code and 2-digit sequence")
    name: Name
    unit: UnitId | None = Field(default=None, description="The organisation unit that it belongs to")


class GridFeatureIn(BaseModel):
    """One grid of an import."""

    type: Literal["Feature"]
    properties: GridProperties
    geometry: Area


class DatumName(BaseModel):
    """The name of a datum."""

    name: Line


class NamedDatum(BaseModel):
    """A datum as GeoJSON had it before RFC 7946, and as many programs still write it."""

    type: Literal["name"]
    properties: DatumName


class GridsIn(BaseModel):
    """A whole set of grids. Live grids that are not in it are given up."""

    type: Literal["FeatureCollection"]
    features: Annotated[list[GridFeatureIn], Field(min_length=1, max_length=MOST_GRIDS)]
    crs: NamedDatum | None = Field(default=None, description="Only WGS-84 is taken")
    district: Area | None = Field(default=None, description="What they must cover; their outline when left out")


class GridsImported(BaseModel):
    """What an import changed. A grid is named by its id."""

    added: list[str]
    changed: list[str]
    given_up: list[str]
    unchanged: int
    subjects_moved: int


class GridFeatureProperties(BaseModel):
    """A grid as it is or was."""

    id: str
    name: str
    unit: str | None
    version: int
    valid_from: datetime
    valid_to: datetime | None


class GridFeature(BaseModel):
    """A grid as GeoJSON."""

    type: Literal["Feature"] = "Feature"
    id: str
    properties: GridFeatureProperties
    geometry: Area

    @classmethod
    def of(cls, row: Grid | GridVersion) -> Self:
        """Return the shape of a row."""
        grid_id = row.id if isinstance(row, Grid) else row.grid_id
        properties = GridFeatureProperties(
            id=grid_id,
            name=row.name,
            unit=row.unit_id,
            version=row.version,
            valid_from=row.valid_from,
            valid_to=row.valid_to,
        )
        return cls(id=grid_id, properties=properties, geometry=Area.model_validate(row.geometry))


class GridFeatures(BaseModel):
    """Grids as GeoJSON."""

    model_config = ConfigDict(title="GridFeatures")

    type: Literal["FeatureCollection"] = "FeatureCollection"
    features: list[GridFeature]


class GridAt(BaseModel):
    """The grid of a place; all null where there is none."""

    grid: str | None
    name: str | None
    unit: str | None
