"""Somebody who listens to a camera as the agent does: opens it again when it is lost, and keeps what it says."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

from drivers.camera import SPEC
from drivers.camera.camera import Camera
from drivers.camera.options import CameraOptions
from drivers.contract import Health, Report
from protocol.clock import SystemClock
from protocol.errors import DeviceUnreachableError
from protocol.messages import DeviceState, Event


class Viewer:
    """What was said so far. `camera` is the open driver, None while it is not."""

    def __init__(self) -> None:
        self.said: list[Report | Health] = []
        self.lost: list[str] = []
        self.camera: Camera | None = None
        self.ended = False
        self._changed = asyncio.Condition()

    @property
    def events(self) -> list[Event]:
        return [said.record for said in self.said if isinstance(said, Report) and isinstance(said.record, Event)]

    @property
    def story(self) -> list[tuple[str, str]]:
        return [(event.type.removeprefix("camera."), str(event.state)) for event in self.events]

    @property
    def is_well(self) -> bool:
        healths = [said for said in self.said if isinstance(said, Health)]
        return bool(healths) and healths[-1].status is DeviceState.OK

    async def until(self, condition: Callable[[], bool], within_s: float = 60) -> None:
        """Wait until a condition on this viewer holds."""
        try:
            async with asyncio.timeout(within_s), self._changed:
                await self._changed.wait_for(condition)
        except TimeoutError as error:
            raise AssertionError(
                f"not within {within_s} s; so far {self.story} {self.said[-3:]} {self.lost}"
            ) from error

    async def changed(self) -> None:
        async with self._changed:
            self._changed.notify_all()


@asynccontextmanager
async def viewing(folder: Path, **options: Any) -> AsyncIterator[Viewer]:
    """Listen while the block lasts. Every report counts as safe on the box at once."""
    viewer = Viewer()
    async with asyncio.TaskGroup() as tasks:
        listening = tasks.create_task(_listen(viewer, folder, CameraOptions(**options)))
        yield viewer
        listening.cancel()


async def _listen(viewer: Viewer, folder: Path, options: CameraOptions) -> None:
    while not viewer.ended:
        try:
            async with SPEC.open("cam-1", options, SystemClock(), folder) as camera:
                assert isinstance(camera, Camera)
                viewer.camera, safe = camera, 0
                async with aclosing(camera.reports()) as reports:  # type: ignore[type-var] # it is a generator
                    async for said in reports:
                        viewer.said.append(said)
                        if isinstance(said, Report):
                            safe += 1
                            camera.release(safe)
                        await viewer.changed()
                viewer.ended = True
        except DeviceUnreachableError as error:
            viewer.lost.append(str(error))
        finally:
            viewer.camera = None
            await viewer.changed()
