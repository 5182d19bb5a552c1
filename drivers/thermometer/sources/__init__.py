"""Where measurements come from: Bluetooth advertisements, or registers that are read."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from protocol.messages import Value


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a sensor measured at one instant, by the names under which it is reported."""

    at: datetime
    values: dict[str, Value] = field(default_factory=dict)


class Source(Protocol):
    """An open sensor."""

    async def measure(self) -> Measurement:
        """Wait for the next measurement. Raises DeviceUnreachableError when it does not answer."""
        ...

    async def why_silent(self) -> str:
        """Say why no measurement has come for long, in a few plain words. Raises DeviceUnreachableError as well."""
        ...
