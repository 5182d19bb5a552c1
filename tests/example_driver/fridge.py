"""Fridge thermometers that send one line per measurement over TCP: degrees Celsius."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from drivers.contract import DriverSpec, Options, Report
from protocol.clock import Clock
from protocol.errors import DeviceUnreachableError
from protocol.messages import Reading


class FridgeOptions(Options, frozen=True, kw_only=True):
    """Where the thermometer is. One that says nothing for `silent_after_s` counts as lost."""

    host: str
    port: Annotated[int, Meta(ge=1, le=65_535)]
    silent_after_s: Annotated[float, Meta(gt=0, le=86_400)] = 30.0


class Fridge:
    """An open thermometer."""

    def __init__(self, device: str, reader: asyncio.StreamReader, options: FridgeOptions, clock: Clock) -> None:
        self.device = device
        self._reader, self._options, self._clock = reader, options, clock

    async def reports(self) -> AsyncIterator[Report]:
        while True:
            celsius = await self._measurement()
            yield Report(Reading(device=self.device, at=self._clock.now(), values={"temperature_c": celsius}))

    async def _measurement(self) -> float:
        try:
            async with asyncio.timeout(self._options.silent_after_s):
                line = await self._reader.readline()
            celsius = float(line)
        except TimeoutError as error:
            raise DeviceUnreachableError(f"{self.device} is silent") from error
        except (OSError, ValueError) as error:
            raise DeviceUnreachableError(f"{self.device} sends no temperature: {error}") from error
        if not math.isfinite(celsius):
            raise DeviceUnreachableError(f"{self.device} sends no temperature: {celsius}")
        return celsius


@asynccontextmanager
async def open_fridge(device: str, options: FridgeOptions, clock: Clock, folder: Path) -> AsyncIterator[Fridge]:
    """Connect; the driver keeps nothing in its folder."""
    try:
        async with asyncio.timeout(5):
            reader, writer = await asyncio.open_connection(options.host, options.port)
    except (OSError, TimeoutError) as error:
        raise DeviceUnreachableError(f"{options.host}:{options.port}: {error or 'no answer'}") from error
    try:
        yield Fridge(device, reader, options, clock)
    finally:
        writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(1):
                await writer.wait_closed()


SPEC = DriverSpec(name="fridge", summary="Fridge thermometers over TCP", options=FridgeOptions, open=open_fridge)
