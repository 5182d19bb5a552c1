"""Finding, checking and opening drivers: only the one asked for is imported.

A driver's kind is either a name of the entry point group `diwang.drivers` ("gps.nmea"), or a place in a module that can
be imported on this box ("fryer.driver:SPEC"), so that a site can bring a driver of its own without packaging it.
"""

import re
from contextlib import AbstractAsyncContextManager
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import msgspec

from drivers.contract import Driver, DriverSpec, Options
from protocol.clock import Clock
from protocol.errors import ConfigurationError
from protocol.topics import LEVEL_PATTERN, is_level

GROUP = "diwang.drivers"
_PLACE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")


def installed() -> tuple[str, ...]:
    """Return the sorted names of all installed drivers, without importing any."""
    return tuple(sorted(entry_points(group=GROUP).names))


def load(kind: str) -> DriverSpec:
    """Import the driver of this kind.

    Raises ConfigurationError when there is none, when two distributions claim the name, when the driver needs a package
    that is not installed, when its module fails, or when what was named is not a DriverSpec.
    """
    found = _find(kind)
    try:
        spec = found.load()
    except ImportError as error:
        raise ConfigurationError(_missing(kind, error)) from error
    except AttributeError as error:
        raise ConfigurationError(f"driver {kind!r}: {error}") from error
    except Exception as error:  # the border of a plug-in: a site's own module may fail in any way
        raise ConfigurationError(f"driver {kind!r} cannot be imported: {type(error).__name__}: {error}") from error
    if not isinstance(spec, DriverSpec):
        raise ConfigurationError(f"driver {kind!r}: {found.value} is a {type(spec).__name__}, not a DriverSpec")
    return spec


def validate(kind: str, device: str, options: dict[str, Any]) -> Options:
    """Return the driver's own view of a device's options, without touching the device.

    Raises ConfigurationError as `load` does, and for a device name that is no topic level, an unknown option, or a
    value that the driver does not accept.
    """
    return _convert(load(kind), device, options)


def open_driver(
    kind: str, device: str, options: dict[str, Any], clock: Clock, folder: Path
) -> AbstractAsyncContextManager[Driver]:
    """Return the context manager that opens the device; `folder` is the device's own and made if missing.

    Raises ConfigurationError as `validate` does. Entering it raises DeviceUnreachableError when the device does not
    answer.
    """
    spec = load(kind)
    parsed = _convert(spec, device, options)
    folder.mkdir(parents=True, exist_ok=True)
    return spec.open(device, parsed, clock, folder)


def _find(kind: str) -> EntryPoint:
    if ":" in kind:
        if not _PLACE.fullmatch(kind):
            raise ConfigurationError(f"driver {kind!r} is not of the form package.module:NAME")
        return EntryPoint(name=kind, value=kind, group=GROUP)
    claims = tuple(entry_points(group=GROUP, name=kind))
    if not claims:
        raise ConfigurationError(f"no driver {kind!r}; installed: {', '.join(installed()) or 'none'}")
    if len(claims) > 1:
        owners = ", ".join(sorted(claim.value for claim in claims))
        raise ConfigurationError(f"driver {kind!r} is claimed more than once: {owners}")
    return claims[0]


def _missing(kind: str, error: ImportError) -> str:
    if ":" in kind:
        return f"driver {kind!r} cannot be imported: {error}"
    # By the custom of the house, the extra of a driver family carries the family's name.
    return f"driver {kind!r} needs the package {error.name or str(error)!r}: install diwang[{kind.partition('.')[0]}]"


def _convert(spec: DriverSpec, device: str, options: dict[str, Any]) -> Options:
    if not is_level(device):
        raise ConfigurationError(f"device {device!r}: a device's name matches {LEVEL_PATTERN}")
    try:
        return msgspec.convert(options, spec.options)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{device}: {error}") from error
