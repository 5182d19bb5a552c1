"""Taking pictures from a source as they come, and keeping the newest only.

A reader that is slower than its camera falls further behind with every second, because neither FFmpeg nor the camera
drops anything. So decoding has a thread of its own that never waits, and whoever looks takes the newest picture.
"""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import av
import av.error
from av.container import InputContainer

from drivers.camera.sources import Source
from protocol.clock import Clock
from protocol.errors import DeviceUnreachableError

MAX_BROKEN_PACKETS = 100
"""Undecodable packets on end after which a stream is given up."""

Opened = TypeVar("Opened")


@dataclass(frozen=True, slots=True)
class Shot:
    """A decoded picture and when it was taken from the source."""

    at: datetime
    seconds: float
    frame: av.VideoFrame


class Slot:
    """The newest picture. One thread puts, others look."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._shot: Shot | None = None
        self._closed = False
        self.pictures = 0

    @property
    def newest(self) -> Shot | None:
        """The newest picture, if there was any."""
        return self._shot

    def put(self, shot: Shot) -> None:
        """Replace the picture."""
        with self._changed:
            self._shot = shot
            self.pictures += 1
            self._changed.notify_all()

    def close(self) -> None:
        """Wake whoever waits: there will be no more pictures."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """Whether there will be no more pictures."""
        return self._closed

    def after(self, seen: Shot | None, timeout_s: float) -> Shot | None:
        """Return a picture newer than `seen`; None after `timeout_s` without one, or when there will be none."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._shot is not seen, timeout_s)
            return None if self._shot is seen else self._shot


def connect(source: Source, *, timeout_s: float) -> InputContainer:
    """Open a source.

    Raises DeviceUnreachableError with a reason that does not hold the address: FFmpeg's own texts do, password and all.
    """
    try:
        container = av.open(
            source.url, format=source.format, options=dict(source.options), timeout=(timeout_s, timeout_s)
        )
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise DeviceUnreachableError(f"{source.shown}: {reason_of(error)}") from None
    if not container.streams.video:
        container.close()
        raise DeviceUnreachableError(f"{source.shown}: it has no video")
    return container


def shots(container: InputContainer, source: Source, clock: Clock) -> Iterator[Shot]:
    """Yield every picture of an open source as it comes; end with a recording.

    Raises DeviceUnreachableError when the source breaks off.
    """
    stream = container.streams.video[0]
    stream.codec_context.thread_count = 1  # more threads would decode later and hold more pictures each
    started, broken = clock.monotonic(), 0
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
            frames = packet.decode()
        except (StopIteration, av.error.EOFError):
            return
        except av.error.InvalidDataError as error:
            broken += 1
            if broken > MAX_BROKEN_PACKETS:
                raise DeviceUnreachableError(f"{source.shown}: {reason_of(error)}") from None
            continue
        except (av.error.FFmpegError, OSError) as error:
            raise DeviceUnreachableError(f"{source.shown}: {reason_of(error)}") from None
        for frame in frames:
            broken = 0
            if source.paced and frame.time is not None:
                time.sleep(max(0.0, started + frame.time - clock.monotonic()))
            yield Shot(clock.now(), clock.monotonic(), frame)


def reason_of(error: Exception) -> str:
    """Return what went wrong without the address that FFmpeg appends."""
    return getattr(error, "strerror", None) or type(error).__name__
