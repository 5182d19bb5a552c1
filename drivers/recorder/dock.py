"""What every docking works with, and how far one has come."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from drivers.contract import Health, Report
from drivers.footage import Footage
from drivers.recorder.copying import Room
from drivers.recorder.hands import Hands
from drivers.recorder.options import RecorderOptions
from drivers.recorder.resting import Rest
from firmware_configs.recorders import Recorder
from protocol.clock import Clock

Say = Callable[[Report | Health], Awaitable[None]]
"""Tells the box something, waiting while the box cannot take it."""


@dataclass(frozen=True, slots=True)
class Dock:
    """The place where recorders dock."""

    device: str
    profile: Recorder
    options: RecorderOptions
    footage: Footage
    hands: Hands
    clock: Clock
    rest: Rest = field(default_factory=Rest)

    @property
    def room(self) -> Room:
        """The room that footage may take."""
        return Room(self.footage.folder, self.options.reserve_bytes)


@dataclass(slots=True)
class Tally:
    """How far a docking has come. `known` are files that the box had before, `failed` those it will not get.

    `empty` files are none of `files`: a unit that broke off at once leaves them.
    """

    files: int = 0
    bytes: int = 0
    copied: int = 0
    copied_bytes: int = 0
    known: int = 0
    failed: int = 0
    empty: int = 0

    def facts(self) -> dict[str, Any]:
        """Return it as an event's data."""
        return {
            "files": self.files,
            "bytes": self.bytes,
            "copied": self.copied,
            "copied_bytes": self.copied_bytes,
            "known": self.known,
            "failed": self.failed,
            "empty": self.empty,
        }
