"""A medium that is docked: files that can be listed and read, until it is pulled out. Everything here blocks."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from firmware_configs.recorders import Recorder
from protocol.errors import DeviceUnreachableError, DiwangError

MOST_FILES: Final = 20_000
DEEPEST: Final = 8
LONGEST_NAME: Final = 255
SMALL_FILE_BYTES: Final = 4_096


class MediumGoneError(DeviceUnreachableError):
    """The medium was pulled out, or its server is gone."""


class UnreadableFileError(DiwangError):
    """This file cannot be read; the medium is still there."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of footage: its way below the root as raw bytes, its size, and when it was changed, as the medium says."""

    path: tuple[bytes, ...]
    size: int
    modified_at: datetime

    @property
    def name(self) -> bytes:
        """The file's own name."""
        return self.path[-1]


class Source(Protocol):
    """An open file of a medium, read from its start."""

    def read(self, size: int) -> bytes:
        """Return the next bytes, at most `size`, none at the end. Raises as `Medium.open`."""
        ...


class Medium(Protocol):
    """What recorders or their stations offer. Nothing of it is ever changed."""

    @property
    def label(self) -> str:
        """What it is called, safe to show."""
        ...

    def entries(self, profile: Recorder) -> Iterator[Entry]:
        """Yield the footage, at most MOST_FILES, in the order of the names. Raises MediumGoneError."""
        ...

    def open(self, entry: Entry) -> AbstractContextManager[Source]:
        """Open a file to read. Raises UnreadableFileError when only the file is bad, else MediumGoneError."""
        ...

    def sample(self, entry: Entry, places: tuple[int, ...], size: int) -> bytes:
        """Return `size` bytes of each place of a file, less at its end. Raises as `open`."""
        ...

    def unchanged(self, entry: Entry) -> bool:
        """Tell whether a file still has the size and the time of its entry. Raises MediumGoneError."""
        ...

    def small(self, path: str) -> bytes | None:
        """Return the beginning of a small file, SMALL_FILE_BYTES at most; None when there is none."""
        ...


def is_within(folders: tuple[bytes, ...], profile: Recorder) -> bool:
    """Tell whether a file in these folders is where the profile expects footage."""
    if not profile.folders:
        return True
    way = b"/".join(folders).lower()
    return any(way == place or way.startswith(place + b"/") for place in _places(profile))


def leads_to(folders: tuple[bytes, ...], profile: Recorder) -> bool:
    """Tell whether footage may lie in these folders or below them."""
    way = b"/".join(folders).lower()
    return is_within(folders, profile) or any(place.startswith(way + b"/") for place in _places(profile))


def _places(profile: Recorder) -> list[bytes]:
    return [folder.lower().encode() for folder in profile.folders]
