"""Making values what their device's model says they are. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final

from hub.device_models.schemas import DeviceModelIn, Reading
from hub.telemetry.catalogue import SeriesType, fitted, type_of
from hub.telemetry.contract import Scalar

_DECIMAL: Final = re.compile(r"[+-]?[0-9]{1,15}(?:\.[0-9]{1,15})?")
_FLAGS: Final = {"true": True, "on": True, "1": True, "false": False, "off": False, "0": False}


@dataclass(frozen=True, slots=True)
class Fitted:
    """The values that can be stored, and why the others cannot."""

    values: dict[str, Scalar]
    refused: dict[str, str] = field(default_factory=dict)


def fit(values: Mapping[str, Scalar], readings: Mapping[str, Reading]) -> Fitted:
    """Return the values as the model has them; a value that it does not name stays as it came."""
    found = Fitted({})
    for name, value in values.items():
        reading = readings.get(name)
        if reading is None:
            found.values[name] = value
            continue
        made = _as(reading.type, value)
        if made is None:
            found.refused[name] = f"{name} is a {reading.type} by its model; this one is a {type_of(value)}"
        elif reason := _beyond(name, made, reading):
            found.refused[name] = reason
        else:
            found.values[name] = made
    return found


def model_of(models: Iterable[DeviceModelIn], *, device: str, driver: str, chosen: str | None) -> DeviceModelIn | None:
    """Return the model of a device, by the order that `DeviceModelIn` tells."""
    ordered = sorted(models, key=lambda model: model.model)
    if chosen is not None:
        return next((model for model in ordered if model.model == chosen), None)
    by_name = (model for model in ordered if any(fnmatchcase(device, pattern) for pattern in model.devices))
    by_driver = (model for model in ordered if any(fnmatchcase(driver, pattern) for pattern in model.drivers))
    return next(by_name, None) or (next(by_driver, None) if driver else None)


def _as(kind: SeriesType, value: Scalar) -> Scalar | None:
    """Return the value as this type; None when it cannot be that. A text may be a written number or flag."""
    if isinstance(value, str) and kind is SeriesType.NUMBER:
        return float(value) if _DECIMAL.fullmatch(value) else None
    if isinstance(value, str) and kind is SeriesType.FLAG:
        return _FLAGS.get(value.lower())
    if kind is SeriesType.TEXT and not isinstance(value, str):
        return str(value).lower() if isinstance(value, bool) else f"{value:.15g}"
    return fitted(value, kind)


def _beyond(name: str, value: Scalar, reading: Reading) -> str | None:
    if isinstance(value, str | bool):
        return None
    unit = f" {reading.unit}" if reading.unit else ""
    if reading.minimum is not None and value < reading.minimum:
        return f"{name}: {value:g}{unit} is less than any device of this model measures ({reading.minimum:g}{unit})"
    if reading.maximum is not None and value > reading.maximum:
        return f"{name}: {value:g}{unit} is more than any device of this model measures ({reading.maximum:g}{unit})"
    return None
