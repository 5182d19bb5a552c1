"""The form of a device model, in files and at the HTTP border."""

from datetime import datetime
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, model_validator

from hub.api.values import JsonObject, Level, Line
from hub.device_models.model import DeviceModelRow
from hub.telemetry.catalogue import SeriesType

Pattern = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.*?-]{1,64}$")]
Unit = Annotated[str, StringConstraints(min_length=1, max_length=16, pattern=r"^[^\x00-\x1f\x7f]+$")]
ReadingName = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]
Bound = Annotated[float, Field(allow_inf_nan=False)]

_PLAIN: Final[TypeAdapter[dict[str, Any]]] = TypeAdapter(JsonObject)

MOST_READINGS: Final = 256
MOST_PATTERNS: Final = 32


class Titles(BaseModel):
    """What people call something, by language."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    zh_cn: Line = Field(alias="zh-CN")
    en: Line


class Reading(BaseModel):
    """One value that devices of a model report. What this version does not know of it is kept."""

    model_config = ConfigDict(extra="allow")

    type: SeriesType = Field(description="number, flag or text: what does not come so is converted or refused")
    unit: Unit | None = Field(default=None, description="As people read it: °C, %, kPa")
    label: Titles
    minimum: Bound | None = Field(default=None, description="No such device measures less: a value below is refused")
    maximum: Bound | None = Field(default=None, description="No such device measures more: a value above is refused")

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        bounds = (self.minimum, self.maximum)
        if self.type is not SeriesType.NUMBER and bounds != (None, None):
            raise ValueError("only numbers have a minimum and a maximum")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError("minimum is not above maximum")
        return self


class DeviceModelIn(BaseModel):
    """A type of device: which devices are of it, and what they report. What this version does not know is kept.

    A device is of the model that is set on it, else of the first model by name of whose `devices` patterns one fits
    its name, else of the first of whose `drivers` patterns one fits its driver. `*` stands for any characters, `?` for
    one.
    """

    model_config = ConfigDict(extra="allow")

    model: Level
    title: Titles
    capability: list[Level] = Field(
        default_factory=list, max_length=16, description="What it does: measures, locates, prints, scans, records …"
    )
    drivers: list[Pattern] = Field(default_factory=list, max_length=MOST_PATTERNS, description="By a box's driver")
    devices: list[Pattern] = Field(default_factory=list, max_length=MOST_PATTERNS, description="By a device's name")
    topic: Line | None = Field(default=None, description="For who builds such a device: where it publishes")
    readings: dict[ReadingName, Reading] = Field(default_factory=dict, max_length=MOST_READINGS)
    owner: Line | None = Field(default=None, description="Who answers for devices of this type")
    lifetime_days: int | None = Field(default=None, ge=1, le=36_500, description="After which one is to be replaced")

    @model_validator(mode="after")
    def _plain(self) -> Self:
        for extra in (self.model_extra, *(reading.model_extra for reading in self.readings.values())):
            _PLAIN.validate_python(extra or {})
        return self

    def document(self) -> dict[str, Any]:
        """Return the model as it is stored: what was written, no more."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


class NamedReading(BaseModel):
    """The newest value of a series, by the device's time, as its device's model has people read it."""

    gateway: str
    device: str
    name: str
    at: datetime
    value: float | bool | str
    unit: str | None
    label: dict[str, str] = Field(description="What people call it, by language")
    model: str


class DeviceModelOut(BaseModel):
    """A device model as it was written, and who wrote it."""

    model: str
    document: dict[str, Any] = Field(description="As POST /device-models takes it")
    origin: str = Field(description="file: from the hub's folders at its start; api: entered or changed by people")
    changed_at: datetime
    changed_by: str
    version: int

    @classmethod
    def of(cls, row: DeviceModelRow) -> Self:
        """Return the shape of a row."""
        return cls.model_validate({name: getattr(row, name) for name in cls.model_fields})
