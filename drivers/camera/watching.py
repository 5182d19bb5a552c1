"""Inside a camera's process: decode without end, look now and then, say what is found."""

import math
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import av.logging
import cv2
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from drivers.camera.analysis import HEIGHT, WIDTH, Analysis, Frame, load
from drivers.camera.capture import Shot, Slot, connect, shots
from drivers.camera.channel import Alive, Begin, Connected, Found, FromChild, NotTaken, Taken
from drivers.camera.picture import blacken, jpeg, measures
from drivers.camera.sources import Source, source_of
from protocol.clock import SystemClock
from protocol.errors import DeviceUnreachableError

HEARTBEAT_S = 1.0
SNAPSHOT_TIMEOUT_S = 8.0


class Watch:
    """One camera being watched. `stop` ends `run` within a heartbeat."""

    def __init__(self, begin: Begin, say: Callable[[FromChild], None], stop: threading.Event) -> None:
        options = begin.options
        self._say, self._stop, self._clock = say, stop, SystemClock()
        self._main = source_of(options.url, options.username, begin.password)
        self._watched = (
            source_of(options.sub_stream, options.username, begin.password) if options.sub_stream else self._main
        )
        self._loop = options.loop and self._watched.paced
        self._timeout_s = max(options.first_picture_s, options.silence_s)
        self._interval_s = 1 / options.analysed_per_s
        self._masks = options.masks
        self._analyses = _open_analyses(begin)
        self._slot = Slot()
        self._lost: DeviceUnreachableError | None = None
        self._taking = threading.Lock()

    def run(self) -> None:
        """Watch until the source is lost (DeviceUnreachableError), its recording is over, or `stop` is set."""
        av.logging.set_level(av.logging.PANIC)  # FFmpeg's own lines hold addresses with passwords
        cv2.setNumThreads(1)
        threading.Thread(target=self._capture, name="capture", daemon=True).start()
        try:
            self._look()
        finally:
            for analysis in self._analyses:
                analysis.close()
        if self._lost:
            raise self._lost

    def take(self, number: int) -> None:
        """Take a picture from the main stream and say it, from a thread of its own; one at a time."""
        threading.Thread(target=self._take, args=(number,), name="snapshot", daemon=True).start()

    def _capture(self) -> None:
        try:
            again = True
            while again and not self._stop.is_set():
                with closing(connect(self._watched, timeout_s=self._timeout_s)) as container:
                    video = container.streams.video[0]
                    self._say(Connected(width=video.width, height=video.height))
                    for shot in shots(container, self._watched, self._clock):
                        self._slot.put(shot)
                again = self._loop
            if not self._watched.paced:
                self._lost = DeviceUnreachableError(f"{self._watched.shown}: the stream ended")
        except DeviceUnreachableError as error:
            self._lost = error
        finally:
            self._slot.close()

    def _look(self) -> None:
        scale = VideoReformatter()
        seen: Shot | None = None
        next_look = next_beat = -math.inf
        while not self._stop.is_set():
            now = self._clock.monotonic()
            if now >= next_beat:
                self._say(Alive(pictures=self._slot.pictures))
                next_beat = now + HEARTBEAT_S
            if now < next_look:
                self._stop.wait(min(next_look, next_beat) - now)
                continue
            shot = self._slot.after(seen, next_beat - now)
            if shot is not None:
                seen, next_look = shot, max(next_look + self._interval_s, now)
                self._inspect(shot, scale)
            elif self._slot.closed:
                self._say(Alive(pictures=self._slot.pictures))
                return

    def _inspect(self, shot: Shot, scale: VideoReformatter) -> None:
        small = scale.reformat(shot.frame, WIDTH, HEIGHT, format="bgr24", interpolation=Interpolation.AREA)
        bgr = np.asarray(small.to_ndarray(), np.uint8)
        blacken(bgr, self._masks)
        frame = Frame(at=shot.at, seconds=shot.seconds, bgr=bgr)
        for analysis in self._analyses:
            for found in analysis.inspect(frame):
                self._say(
                    Found(
                        at=shot.at,
                        type=found.type,
                        state=found.state,
                        severity=found.severity,
                        score=found.score,
                        data=found.data,
                        picture=self._shown(_bgr(shot)) if found.picture else b"",
                    )
                )

    def _take(self, number: int) -> None:
        with self._taking:
            try:
                shot = self._newest() if self._main == self._watched else self._from(self._main)
            except DeviceUnreachableError as error:
                self._say(NotTaken(number=number, reason=str(error)))
                return
            bgr = _bgr(shot)
            height, width = bgr.shape[:2]
            found = measures(bgr)
            self._say(
                Taken(
                    number=number,
                    at=shot.at,
                    width=width,
                    height=height,
                    brightness=found.brightness,
                    sharpness=found.sharpness,
                    picture=self._shown(bgr),
                )
            )

    def _shown(self, bgr: NDArray[np.uint8]) -> bytes:
        """Return what may leave this process of a picture."""
        blacken(bgr, self._masks)
        return jpeg(bgr)

    def _newest(self) -> Shot:
        shot = self._slot.newest or self._slot.after(None, SNAPSHOT_TIMEOUT_S)
        if shot is None:
            raise DeviceUnreachableError(f"{self._watched.shown}: no picture yet")
        return shot

    def _from(self, source: Source) -> Shot:
        with closing(connect(source, timeout_s=SNAPSHOT_TIMEOUT_S)) as container:
            for shot in shots(container, source, self._clock):
                return shot
        raise DeviceUnreachableError(f"{source.shown}: the stream ended")


def _bgr(shot: Shot) -> NDArray[np.uint8]:
    return np.asarray(VideoReformatter().reformat(shot.frame, format="bgr24").to_ndarray(), np.uint8)


def _open_analyses(begin: Begin) -> list[Analysis]:
    analyses = []
    for spec, options in load(begin.options.analyses, begin.options.analysis_options):
        folder = Path(begin.folder) / spec.name
        folder.mkdir(exist_ok=True)
        analyses.append(spec.open(options, folder, frozenset(begin.open_types)))
    return analyses
