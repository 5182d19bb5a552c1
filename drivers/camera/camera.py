"""One camera as the agent sees it: a process that is watched, and events with pictures that come from it."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from drivers.camera.analysis import load
from drivers.camera.backoff import backoff
from drivers.camera.channel import Alive, Begin, Connected, Ended, Found, FromChild, Lost, NotTaken, Take, Taken
from drivers.camera.describing import Describer
from drivers.camera.options import CameraOptions
from drivers.camera.presence import OFFLINE, SEVERITY, Change, Presence
from drivers.camera.process import Child, running
from drivers.contract import Answer, Health, Report
from drivers.episodes import Episodes
from protocol import logs
from protocol.clock import Clock
from protocol.errors import ConfigurationError, DeviceRefusedError, DeviceUnreachableError, UndecodableMessageError
from protocol.messages import DeviceState, Event, EventState, Severity

SNAPSHOT_S = 15.0
NEEDED = ("av", "cv2", "numpy")
"""Packages that only the camera's own process imports."""

log = logs.get(__name__)


class Camera:
    """An open camera: `Reports`, `Obeys` and `Releases`.

    Its process runs while `reports` is iterated; snapshots come from that process. What it says of itself comes from
    the camera by ONVIF.
    """

    commands = frozenset({"snapshot", "describe"})

    def __init__(self, device: str, options: CameraOptions, clock: Clock, folder: Path) -> None:
        self.device = device
        self._options, self._clock, self._folder = options, clock, folder
        self._password = options.password()
        self._describer = Describer(options, self._password, folder)
        self._episodes = Episodes(folder / "episodes.json", device, clock)
        self._presence = Presence(options, self._episodes.open_types, clock.monotonic())
        self._unsafe: dict[int, Event] = {}
        self._told = 0
        self._pictures = 0
        self._health: Health | None = None
        self._child: Child | None = None
        self._stop: Lost | Ended = Lost(reason="not connected yet")
        self._loss_logged = ""
        self._asked: dict[int, asyncio.Future[Taken]] = {}
        self._questions = 0

    async def reports(self) -> AsyncIterator[Report | Health]:
        """Yield events as they begin and end; end with a recording that is not looped.

        Raises DeviceUnreachableError once the camera is offline; whoever opens it again continues its events.
        """
        for event in self._episodes.untold():
            yield self._report(event)
        delays = backoff()
        while True:
            async with aclosing(self._connection()) as connection:
                async for said in connection:
                    yield said
            if isinstance(self._stop, Ended):
                return
            if self._presence.was_steady:
                delays, self._loss_logged = backoff(), ""
            self._log_loss(self._stop.reason)
            await asyncio.sleep(min(next(delays), self._presence.gone_in_s(self._now)))
            for said in self._changes(self._presence.check(self._now)):
                yield said
            if not self._presence.gone_in_s(self._now):
                raise DeviceUnreachableError(self._stop.reason)

    async def obey(self, name: str, args: dict[str, Any]) -> Answer:
        if name not in self.commands:
            raise DeviceRefusedError(f"a camera knows no command {name!r}")
        if args:
            raise DeviceRefusedError(f"{name} takes no arguments, not {', '.join(sorted(args))}")
        return Answer(await self._describer.describe()) if name == "describe" else await self._snapshot()

    async def _snapshot(self) -> Answer:
        if self._child is None or not self._pictures:
            raise DeviceUnreachableError("the camera shows no picture")
        taken = await self._picture(self._child)
        digest = hashlib.sha256(taken.picture).hexdigest()
        seen = {
            "width": taken.width,
            "height": taken.height,
            "brightness": taken.brightness,
            "sharpness": taken.sharpness,
        }
        event = Event(
            device=self.device,
            at=taken.at,
            type="camera.snapshot",
            severity=Severity.INFO,
            id=self._clock.new_id(),
            state=EventState.INSTANT,
            data=seen,
            images=(digest,),
        )
        return Answer({"image": digest, "bytes": len(taken.picture), **seen}, (Report(event, (taken.picture,)),))

    def release(self, count: int) -> None:
        for number in [number for number in self._unsafe if number <= count]:
            self._episodes.settle(self._unsafe.pop(number))

    async def close(self) -> None:
        """End the camera's process, should whoever iterated the reports not have closed them."""
        if self._child is not None:
            await self._child.end()

    @property
    def _now(self) -> float:
        return self._clock.monotonic()

    async def _connection(self) -> AsyncGenerator[Report | Health, None]:
        """Yield what one process of the camera says until it stops; why is in `_stop`."""
        async with self._process() as child:
            stop: Lost | Ended | None = None
            while stop is None:
                for message in await self._hear(child):
                    stop = message if isinstance(message, Lost | Ended) else stop
                    for said in self._take_in(message):
                        yield said
                silent = stop is None and self._presence.overdue(self._now)
                if silent:
                    child.kill()
                    stop = Lost(reason="it shows no picture")
                for said in self._changes(self._presence.dropped() if silent else self._presence.check(self._now)):
                    yield said
            self._stop = stop

    @asynccontextmanager
    async def _process(self) -> AsyncIterator[Child]:
        begin = Begin(
            options=self._options,
            password=self._password,
            folder=str(self._folder),
            open_types=tuple(sorted(self._episodes.open_types)),
        )
        async with running(begin) as child:
            self._child, self._pictures = child, 0
            self._presence.attempt(self._now)
            try:
                yield child
            finally:
                self._child = None
                for question in self._asked.values():
                    if not question.done():
                        question.set_exception(DeviceUnreachableError("the connection to the camera was lost"))

    async def _hear(self, child: Child) -> list[FromChild]:
        """Return what the child says next, or nothing when something else is due first."""
        try:
            async with asyncio.timeout(self._presence.wait_s(self._now)):
                return await child.hear()
        except TimeoutError:
            return []
        except (DeviceUnreachableError, UndecodableMessageError) as error:
            return [Lost(reason=str(error))]

    def _take_in(self, message: FromChild) -> Iterator[Report | Health]:
        match message:
            case Connected():
                self._presence.connected()
                log.info("camera_connected", device=self.device, width=message.width, height=message.height)
            case Alive(pictures=pictures) if pictures > self._pictures:
                self._pictures = pictures
                yield from self._changes(self._presence.picture(self._now))
                yield from self._how_it_is()
            case Found():
                yield from self._found(message)
            case Taken(number=number) if question := self._asked.get(number):
                question.set_result(message)
            case NotTaken(number=number, reason=reason) if question := self._asked.get(number):
                question.set_exception(DeviceUnreachableError(reason))

    def _log_loss(self, reason: str) -> None:
        """Log why the connection was lost, once: the same reason again, or one of an offline camera, is only detail."""
        known = reason == self._loss_logged or OFFLINE in self._episodes.open_types
        self._loss_logged = reason
        (log.debug if known else log.warning)("camera_connection_lost", device=self.device, reason=reason)

    def _found(self, found: Found) -> Iterator[Report | Health]:
        images = (found.picture,) if found.picture else ()
        event = self._episodes.happened(
            found.type,
            found.state,
            found.severity,
            found.at,
            score=found.score,
            data=found.data,
            images=tuple(hashlib.sha256(image).hexdigest() for image in images),
        )
        if event:
            yield from self._how_it_is()
            yield self._report(event, images)

    def _changes(self, changes: list[Change]) -> Iterator[Report | Health]:
        events = [
            self._episodes.happened(change.kind, change.state, SEVERITY[change.kind], self._clock.now())
            for change in changes
        ]
        if changes:
            yield from self._how_it_is()
        yield from (self._report(event) for event in events if event)

    def _report(self, event: Event, images: tuple[bytes, ...] = ()) -> Report:
        self._told += 1
        self._unsafe[self._told] = event
        return Report(event, images)

    def _how_it_is(self) -> Iterator[Health]:
        """Yield the camera's health when it is not what was last said."""
        troubles = [
            *sorted(kind.removeprefix("camera.") for kind in self._episodes.open_types),
            self._describer.trouble,
        ]
        wrong = ", ".join(filter(None, troubles))
        health = Health(DeviceState.DEGRADED, wrong) if wrong else Health(DeviceState.OK, self._describer.note)
        if health != self._health:
            self._health = health
            yield health

    async def _picture(self, child: Child) -> Taken:
        self._questions += 1
        number, answer = self._questions, asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        child.say(Take(number=number))
        try:
            async with asyncio.timeout(SNAPSHOT_S):
                taken: Taken = await answer
        except TimeoutError as error:
            raise DeviceUnreachableError(f"no picture within {SNAPSHOT_S:.0f} s") from error
        finally:
            del self._asked[number]
        return taken


@asynccontextmanager
async def open_camera(device: str, options: CameraOptions, clock: Clock, folder: Path) -> AsyncIterator[Camera]:
    """Open a camera without waiting for it.

    Raises ConfigurationError for a package that is not installed, an analysis that is not there or has other options,
    and a password that is not where the options say.
    """
    for package in NEEDED:
        if find_spec(package) is None:
            raise ConfigurationError(f"a camera needs the package {package!r}: install diwang[camera]")
    for spec, _ in load(options.analyses, options.analysis_options):
        log.debug("analysis_chosen", device=device, analysis=spec.name)
    camera = Camera(device, options, clock, folder)
    try:
        yield camera
    finally:
        await camera.close()
