"""Body-worn recorders as the box sees them: folders of films, and a cable that somebody pulls."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from fractions import Fraction
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np

from drivers.contract import Driver, Health, Report
from drivers.listening import listening
from drivers.recorder import SPEC
from drivers.recorder.options import RecorderOptions
from drivers.recorder.recorder import BodyRecorder
from protocol.clock import Clock
from protocol.messages import Event

FPS = 10


@cache
def film(seed: int = 0, *, seconds: float = 1.0, created: str = "") -> bytes:
    """Return a small MP4 of noise; each seed is another recording."""
    chance = np.random.default_rng(seed)
    target = BytesIO()
    with av.open(target, "w", format="mp4") as container:
        if created:
            container.metadata["creation_time"] = created
        stream = container.add_stream("mpeg4", rate=Fraction(FPS))
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(round(seconds * FPS)):
            picture = chance.integers(0, 255, (48, 64, 3), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode(None))
    return target.getvalue()


def put(folder: Path, name: str | bytes, content: bytes, changed_at: datetime | None = None) -> Path:
    """Lay a file on a medium."""
    path = folder / os.fsdecode(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    if changed_at is not None:
        os.utime(path, (changed_at.timestamp(), changed_at.timestamp()))
    return path


class Cable:
    """What `drivers.recorder.folders` takes for `os`: it reads files until somebody pulls the cable.

    `after_bytes` of footage are read, then `pull` happens and reading fails.
    """

    def __init__(self, after_bytes: int, pull: Callable[[], object], error: int) -> None:
        self._left = after_bytes
        self._pull: Callable[[], object] | None = pull
        self._errno = error

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def read(self, descriptor: int, size: int) -> bytes:
        if self._left <= 0 and self._pull is not None:
            self._pull()
            self._pull = None
        if self._pull is None:
            raise OSError(self._errno, os.strerror(self._errno))
        piece = os.read(descriptor, min(size, max(self._left, 1)))
        self._left -= len(piece)
        return piece


@asynccontextmanager
async def dock(folder: Path, clock: Clock, url: str, **options: Any) -> AsyncIterator["Listener"]:
    """Open the driver as the agent does, and listen to it."""
    chosen = RecorderOptions(url=url, **{"mounted": False, "look_every_s": 0.02, "reserve_bytes": 0, **options})
    (folder / "box").mkdir(parents=True, exist_ok=True)
    async with SPEC.open("recorder-1", chosen, clock, folder / "box") as driver:
        assert isinstance(driver, BodyRecorder)
        async with listening(driver) as said:
            yield Listener(driver, said)


class Listener:
    """What a dock says, kept."""

    def __init__(self, driver: Driver, said: AsyncIterator[Any]) -> None:
        assert isinstance(driver, BodyRecorder)
        self.driver = driver
        self.events: list[Event] = []
        self.health: list[Health] = []
        self.safe = True
        self.patience_s = 30.0
        self._said = said
        self._reports = 0

    async def until(self, condition: Callable[[], bool]) -> None:
        """Listen until a condition holds; what is told is safe on the box unless `safe` is off."""
        async with asyncio.timeout(self.patience_s):
            while not condition():
                item = await anext(self._said)
                if isinstance(item, Report):
                    self._reports += 1
                    assert isinstance(item.record, Event)
                    self.events.append(item.record)
                    if self.safe:
                        self.driver.release(self._reports)
                else:
                    assert isinstance(item, Health)
                    self.health.append(item)

    async def told(self, kind: str, count: int = 1) -> list[Event]:
        """Listen until so many events of a type were told."""
        await self.until(lambda: len(self.of(kind)) >= count)
        return self.of(kind)

    def of(self, kind: str) -> list[Event]:
        """The events of one type, so far."""
        return [event for event in self.events if event.type == kind]
