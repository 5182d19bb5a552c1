"""Shapes of devices at the HTTP border."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hub.api.places import Latitude, Longitude, placed
from hub.api.values import Level
from hub.devices.gb28181 import Gb28181Id
from hub.devices.model import Device


class DeviceOut(BaseModel):
    """A device, as it last spoke and as people linked it."""

    gateway: str
    device: str
    driver: str
    status: str = Field(description="ok, degraded, lost or stopped, as its gateway says")
    status_since: datetime | None
    detail: str
    first_seen_at: datetime
    last_seen_at: datetime | None
    subject: UUID | None
    officer: UUID | None
    latitude: float | None
    longitude: float | None
    expected_interval_s: float | None
    model: str | None = Field(description="Its type, where a person chose one")
    gb28181_id: str | None = Field(description="Its number on video platforms (GB/T 28181)")

    @classmethod
    def of(cls, row: Device) -> Self:
        """Return the shape of a row."""
        return cls(
            gateway=row.gateway,
            device=row.device,
            driver=row.driver,
            status=row.status,
            status_since=row.status_since,
            detail=row.detail,
            first_seen_at=row.first_seen_at,
            last_seen_at=row.last_seen_at,
            subject=row.subject_id,
            officer=row.officer_id,
            latitude=row.latitude,
            longitude=row.longitude,
            expected_interval_s=row.expected_interval_s,
            model=row.model,
            gb28181_id=row.gb28181_id,
        )


class DeviceChange(BaseModel):
    """What people may change of a device. What is left out stays, null clears."""

    model_config = ConfigDict(extra="forbid")

    subject: UUID | None = Field(default=None, description="The business where it is installed")
    officer: UUID | None = Field(default=None, description="The officer who carries it")
    latitude: Latitude | None = Field(default=None, description="Of its site")
    longitude: Longitude | None = Field(default=None, description="Of its site")
    expected_interval_s: Annotated[float, Field(gt=0, le=31_536_000)] | None = Field(
        default=None, description="How often it should speak"
    )
    model: Level | None = Field(default=None, description="Its type; null leaves it to its name and driver")
    gb28181_id: Gb28181Id | None = Field(default=None, description="Its number on video platforms, of one device only")

    _placed = model_validator(mode="after")(placed)
