"""One picture of a camera, to see what it sees."""

import asyncio
import tempfile
from contextlib import AsyncExitStack, aclosing, suppress
from pathlib import Path
from typing import Final

from drivers import registry
from drivers.contract import Health, Obeys, Reports
from edge.config import Config
from protocol.clock import Clock
from protocol.errors import DeviceRefusedError, DeviceUnreachableError
from protocol.messages import DeviceState

_PATIENCE_S: Final = 25.0


async def picture(config: Config, camera: str, clock: Clock) -> bytes:
    """Return a JPEG of what a camera of the configuration shows now, its masks black.

    Raises DeviceUnreachableError when it shows none in time, DeviceRefusedError and ConfigurationError as its driver.
    """
    device = config.devices[camera]
    options = {**device.options, "analyses": []}
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        driver = await stack.enter_async_context(registry.open_driver(device.driver, camera, options, clock, folder))
        if not (isinstance(driver, Reports) and isinstance(driver, Obeys)):
            raise DeviceRefusedError(f"{camera} is no camera")
        shows = asyncio.Event()
        listening = asyncio.create_task(_until_well(driver, shows), name=f"look through {camera}")
        stack.push_async_callback(_ended, listening)
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await shows.wait()
                answer = await driver.obey("snapshot", {})
        except TimeoutError as error:
            raise DeviceUnreachableError(f"{camera} shows no picture within {_PATIENCE_S:.0f} s") from error
        return answer.reports[0].images[0]


async def _until_well(driver: Reports, shows: asyncio.Event) -> None:
    with suppress(DeviceUnreachableError):  # then it never shows anything
        async with aclosing(driver.reports()) as said:  # type: ignore[type-var] # a generator
            async for each in said:
                if isinstance(each, Health) and each.status is DeviceState.OK:
                    shows.set()


async def _ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait((task,))
