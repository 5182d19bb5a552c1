"""A place where recorders dock, as the agent sees it: what comes and goes there, and the clips that it brings."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import msgspec

from drivers.contract import Answer, Health, Report
from drivers.footage import Footage, carriage
from drivers.recorder.dock import Dock, Say
from drivers.recorder.docking import Docking
from drivers.recorder.folders import docked, station
from drivers.recorder.ftp import FtpMedium
from drivers.recorder.hands import Hands
from drivers.recorder.media import Medium, MediumGoneError
from drivers.recorder.options import RecorderOptions
from drivers.recorder.telling import CLIP, clip_told
from firmware_configs.recorders import RECORDERS
from protocol import logs
from protocol.clock import Clock
from protocol.errors import ConfigurationError, DeviceRefusedError, StoreUnavailableError
from protocol.messages import DeviceState, Event

_REST_S: Final = 30.0
PATIENCE_S: Final = 300.0
"""Enough for a clip of 4 GB, the largest that recorders write in one piece, from a medium that gives 15 MB/s."""

NEEDED: Final = "av"
"""A package that only the process which looks into clips imports."""

log = logs.get(__name__)


class BodyRecorder:
    """A dock of recorders: `Reports`, `Obeys`, `Rests` and `Releases`."""

    commands = frozenset({"footage", "release"})
    patience_s = PATIENCE_S

    def __init__(self, dock: Dock, find: Callable[[], list[Medium]]) -> None:
        self.device = dock.device
        self._dock = dock
        self._find = find
        self._dockings: dict[Medium, Docking] = {}
        self._resting: dict[Medium, float] = {}
        self._unsafe: dict[int, str] = {}
        self._told = 0
        self._health: Health | None = None

    async def reports(self) -> AsyncIterator[Report | Health]:
        """Yield what docks and what it brings.

        Raises DeviceUnreachableError when the place itself is not there: the folder of the docks, the station.
        """
        voice: asyncio.Queue[Report | Health] = asyncio.Queue(1)
        working = asyncio.create_task(self._work(voice.put), name=f"dock {self.device}")
        try:
            while True:
                said = await _heard(voice, working)
                if isinstance(said, Report):
                    self._told += 1
                    if isinstance(said.record, Event) and said.record.type == CLIP:
                        self._unsafe[self._told] = said.record.data["sha256"]
                yield said
        finally:
            working.cancel()
            await asyncio.wait((working,))

    def release(self, count: int) -> None:
        for number in [number for number in self._unsafe if number <= count]:
            clip = self._dock.footage.clips[self._unsafe.pop(number)]
            try:
                self._dock.footage.note(msgspec.structs.replace(clip, told=True))
            except OSError as error:  # it will be told once more, under the same id
                log.warning("clip_not_noted_as_told", device=self.device, reason=str(error))

    async def obey(self, name: str, args: dict[str, Any]) -> Answer:
        if name == "footage" and not args:
            return Answer(await self._dock.hands.do(self._standing))
        if name == "release" and args.keys() == {"sha256"}:
            return Answer(await self._dock.hands.do(self._delete, args["sha256"]))
        raise DeviceRefusedError("a recorder obeys footage, and release with the sha256 of a clip")

    def at_rest(self) -> AbstractAsyncContextManager[None]:
        """Enter once no clip is being copied or checked; none is begun until it is left."""
        return self._dock.rest.kept()

    async def _work(self, say: Say) -> None:
        try:
            await self._dock.hands.do(self._dock.footage.load)
        except OSError as error:
            raise StoreUnavailableError(f"the folder of the footage cannot be used: {error.strerror}") from error
        for clip in tuple(self._dock.footage.clips.values()):
            if not clip.told:
                await say(clip_told(clip))
        while True:
            await self._look(say)
            # A folder that appears, or a file on a server, announces itself to nobody.
            await asyncio.sleep(self._dock.options.look_every_s)

    async def _look(self, say: Say) -> None:
        """See what has come and gone, and take what there is to take."""
        here = await self._dock.hands.do(self._find)
        for medium in self._dockings.keys() - set(here):
            await say(self._dockings.pop(medium).undocked())
        self._resting = {medium: until for medium, until in self._resting.items() if medium in here}
        for medium in here:
            if self._resting.get(medium, 0.0) <= self._dock.clock.monotonic():
                await self._attend_to(medium, say)
        await self._say_health(say)

    async def _attend_to(self, medium: Medium, say: Say) -> None:
        """Take what there is to take from a medium."""
        is_station = self._dock.options.scheme != "mount"
        docking = self._dockings.setdefault(medium, Docking(self._dock, medium, is_station))
        lacks_room = docking.needs_bytes > 0 and self._dock.room.left() < docking.needs_bytes
        if (docking.complete and not is_station) or lacks_room:
            return
        try:
            await docking.run(say)
            if docking.needs_bytes and self._dock.room.left() >= docking.needs_bytes:
                self._rest(medium)  # there is room, and yet the disk takes nothing
        except MediumGoneError as error:
            if is_station:
                raise
            log.warning("recorder_taken_away_early", device=self.device, medium=medium.label, reason=str(error))
            if medium in await self._dock.hands.do(self._find):
                self._rest(medium)  # it is still seen, and gives nothing
            await say(self._dockings.pop(medium).undocked())

    def _rest(self, medium: Medium) -> None:
        """Leave a medium alone for a while."""
        self._resting[medium] = self._dock.clock.monotonic() + _REST_S

    async def _say_health(self, say: Say) -> None:
        health = self._how_it_is()
        if health != self._health:
            self._health = health
            await say(health)

    def _how_it_is(self) -> Health:
        waiting = [docking.medium.label for docking in self._dockings.values() if docking.needs_bytes]
        if waiting:
            return Health(DeviceState.DEGRADED, f"no room on the disk for the footage of {', '.join(waiting)}")
        failed = sum(docking.tally.failed for docking in self._dockings.values())
        if failed:
            return Health(DeviceState.DEGRADED, f"{failed} files could not be taken")
        done = [docking.medium.label for docking in self._dockings.values() if docking.complete]
        return Health(DeviceState.OK, f"all taken, may be removed: {', '.join(done)}" if done else "nothing is docked")

    def _standing(self) -> dict[str, Any]:
        clips = [clip for clip in tuple(self._dock.footage.clips.values()) if self._dock.footage.has(clip.sha256)]
        confirmed = [clip for clip in clips if carriage(self._dock.footage.folder, clip.sha256).confirmed_at]
        return {
            "docked": [
                {"medium": docking.medium.label, "complete": docking.complete, **docking.tally.facts()}
                for docking in tuple(self._dockings.values())
            ],
            "clips": len(clips),
            "bytes": sum(clip.bytes for clip in clips),
            "at_the_hub": len(confirmed),
            "bytes_free": max(0, self._dock.room.left()),
        }

    def _delete(self, sha256: object) -> dict[str, Any]:
        """Delete a clip that the hub has confirmed. Raises DeviceRefusedError for any other."""
        clip = self._dock.footage.clips.get(sha256) if isinstance(sha256, str) else None
        if clip is None:
            raise DeviceRefusedError("there is no such clip here")
        if carriage(self._dock.footage.folder, clip.sha256).confirmed_at is None:
            raise DeviceRefusedError("the hub has not confirmed this clip: the only copy is not deleted")
        freed = self._dock.footage.delete(clip.sha256)
        log.info("clip_released", device=self.device, sha256=clip.sha256)
        return {"bytes": freed}


async def _heard(voice: asyncio.Queue[Report | Health], working: asyncio.Task[None]) -> Report | Health:
    """Return what is said next; raise what ends the work."""
    hearing = asyncio.ensure_future(voice.get())
    try:
        await asyncio.wait((hearing, working), return_when=asyncio.FIRST_COMPLETED)
        if not hearing.done():
            working.result()
        return await hearing
    finally:
        hearing.cancel()


@asynccontextmanager
async def open_recorder(
    device: str, options: RecorderOptions, clock: Clock, folder: Path
) -> AsyncIterator[BodyRecorder]:
    """Open a dock without waiting for it.

    Raises ConfigurationError for a package that is not installed, a profile that there is not, and a password that is
    not where the options say.
    """
    if find_spec(NEEDED) is None:
        raise ConfigurationError(f"a recorder needs the package {NEEDED!r}: install diwang[recorder]")
    profile = RECORDERS.load(options.profile)
    find = _finder(options)
    hands = Hands(device)
    try:
        yield BodyRecorder(Dock(device, profile, options, Footage(folder), hands, clock), find)
    finally:
        await hands.close()


def _finder(options: RecorderOptions) -> Callable[[], list[Medium]]:
    """Return what looks for media, on a thread."""
    if options.scheme == "mount":
        return lambda: list(docked(options.path, mounted=options.mounted))
    if options.scheme == "folder":
        return lambda: [station(options.path)]
    server = FtpMedium(options.server, options.path, options.username, options.password())
    return lambda: [server]
