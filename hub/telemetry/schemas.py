"""The shapes of telemetry in HTTP answers; scripts depend on them."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, Field, WithJsonSchema

from hub.telemetry.columns import POSITION_FIELDS
from hub.telemetry.contract import LastValue, StoredPosition

Value = float | bool | str
Point = tuple[datetime, Value]
Step = tuple[datetime, float, float, float, int]

# Tuples would become `prefixItems`, which many generators and validators of OpenAPI 3.1 still misread.
_ROWS: Final = {
    "type": "array",
    "items": {"type": "array", "minItems": 2, "maxItems": 5, "items": {"type": ["string", "number", "boolean"]}},
}


class LastValueOut(BaseModel):
    """The newest value of a series, by the device's time."""

    gateway: str
    device: str
    name: str
    at: datetime
    value: Value

    @classmethod
    def of(cls, last: LastValue) -> "LastValueOut":
        """Shape a stored value."""
        return cls.model_construct(**last._asdict())


class Points(BaseModel):
    """Values of one series: `[at, value]`, or with a step `[at, min, mean, max, count]`, oldest first."""

    points: Annotated[list[Point] | list[Step], WithJsonSchema(_ROWS)]


class PointGeometry(BaseModel):
    """A GeoJSON point: longitude, latitude, and altitude in metres where it is known."""

    type: Literal["Point"] = "Point"
    coordinates: list[float] = Field(min_length=2, max_length=3)


class PositionFeature(BaseModel):
    """A position of a device. Its properties have the names and units of the wire contract."""

    type: Literal["Feature"] = "Feature"
    geometry: PointGeometry
    properties: dict[str, Any]


class Positions(BaseModel):
    """A GeoJSON FeatureCollection (RFC 7946) of positions, oldest first."""

    type: Literal["FeatureCollection"] = "FeatureCollection"
    features: list[PositionFeature]


def feature(stored: StoredPosition) -> dict[str, Any]:
    """Return a position as a GeoJSON feature."""
    position = stored.position
    coordinates = [position.longitude, position.latitude]
    if position.altitude_m is not None:
        coordinates.append(position.altitude_m)
    named = {name: getattr(position, name) for name in POSITION_FIELDS if name not in {"latitude", "longitude"}}
    properties = {
        "gateway": stored.gateway,
        "device": position.device,
        "at": position.at,
        "received_at": stored.received_at,
    } | {name: value for name, value in named.items() if value not in {None, ()}}
    return {"type": "Feature", "geometry": {"type": "Point", "coordinates": coordinates}, "properties": properties}
