"""A driver that is listened to as the agent does it: in the background, with what it says waiting to be looked at."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from drivers.contract import Answer, Driver, Health, Obeys, Raw, Releases, Report, Reports
from drivers.listening import listening
from drivers.registry import open_driver
from protocol.clock import Clock, SystemClock
from protocol.errors import DiwangError
from protocol.messages import Event, Position, Reading, Receipt

RecordT = TypeVar("RecordT", Reading, Position, Event, Receipt)
PATIENCE_S = 30


class Listened:
    """What an open device says. `keeps` is whether the box gets it onto its disk; it can be changed at any time."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.keeps = True
        self._said: asyncio.Queue[Report | Health | Raw | DiwangError] = asyncio.Queue()
        self._reports = 0

    async def listen(self, said: AsyncIterator[Report | Health | Raw]) -> None:
        try:
            async for one in said:
                self._said.put_nowait(one)
                if isinstance(one, Report):
                    self._reports += 1
                    self.keep()
        except DiwangError as error:
            self._said.put_nowait(error)

    def keep(self) -> None:
        """Tell the driver that everything is on the disk, if it is."""
        if self.keeps and isinstance(self.driver, Releases):
            self.driver.release(self._reports)

    async def record(self, kind: type[RecordT]) -> RecordT:
        """The next record of this kind; what is said before it is passed over."""
        async with asyncio.timeout(PATIENCE_S):
            while not (isinstance(one := await self._next(), Report) and isinstance(one.record, kind)):
                pass
        return one.record

    async def health(self) -> Health:
        """The next word about its health; what is said before it is passed over."""
        async with asyncio.timeout(PATIENCE_S):
            while not isinstance(one := await self._next(), Health):
                pass
        return one

    async def fails(self) -> None:
        """Wait for ever: returns only by raising the error with which the device ends."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                await self._next()

    async def obey(self, name: str, **args: Any) -> Answer:
        assert isinstance(self.driver, Obeys)
        async with asyncio.timeout(PATIENCE_S):
            return await self.driver.obey(name, args)

    def waiting(self) -> list[Report | Health | Raw | DiwangError]:
        """Take all that was said and not looked at."""
        return [self._said.get_nowait() for _ in range(self._said.qsize())]

    async def _next(self) -> Report | Health | Raw:
        one = await self._said.get()
        if isinstance(one, DiwangError):
            raise one
        return one


@asynccontextmanager
async def opened(
    kind: str, device: str, options: dict[str, Any], folder: Path, clock: Clock | None = None
) -> AsyncIterator[Listened]:
    """Open a device and listen to it until the context is left."""
    async with open_driver(kind, device, options, clock or SystemClock(), folder) as driver:
        assert isinstance(driver, Reports)
        device_says = Listened(driver)
        async with listening(driver) as said:
            task = asyncio.create_task(device_says.listen(said))
            try:
                yield device_says
            finally:
                task.cancel()
                await asyncio.wait((task,))
            if not task.cancelled():
                task.result()
