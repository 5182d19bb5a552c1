"""Media that the box sees as folders: recorders that dock as a disk, and the folder of a vendor's station.

Names are never joined into paths: each step goes by the descriptor of the folder before it and follows no symbolic
link, so that nothing on a medium leads out of it. Files are opened for reading only, and never wait for a writer.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Final

from drivers.recorder.media import (
    DEEPEST,
    LONGEST_NAME,
    MOST_FILES,
    SMALL_FILE_BYTES,
    Entry,
    MediumGoneError,
    Source,
    UnreadableFileError,
    is_within,
    leads_to,
)
from drivers.recorder.names import is_footage, shown
from firmware_configs.recorders import Recorder
from protocol import logs
from protocol.errors import DeviceUnreachableError

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_GONE: Final = frozenset({errno.ENODEV, errno.ENXIO, errno.ESTALE, errno.ENOTCONN, errno.ESHUTDOWN, errno.ENOMEDIUM})
_UPWARDS: Final = frozenset({b"", b".", b".."})

Identity = tuple[int, int]

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class FolderMedium:
    """A folder as a medium. `identity` is the one that it had when it was found; another one is another medium."""

    path: str
    label: str
    identity: Identity

    def entries(self, profile: Recorder) -> Iterator[Entry]:
        """Yield the footage; see `Medium`."""
        with self._stepping(()) as root:
            yield from islice(self._walk(root, (), profile), MOST_FILES)

    @contextmanager
    def open(self, entry: Entry) -> Iterator[Source]:
        """Open a file to read; see `Medium`."""
        with self._opened(entry.path) as descriptor:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)
            yield _File(self, entry.path, descriptor)

    def sample(self, entry: Entry, places: tuple[int, ...], size: int) -> bytes:
        """Return some bytes of a file; see `Medium`."""
        with self._opened(entry.path) as descriptor:
            try:
                return b"".join(os.pread(descriptor, size, place) for place in places)
            except OSError as error:
                raise self.failure(entry.path, error) from error

    def unchanged(self, entry: Entry) -> bool:
        """Tell whether a file is still the same; see `Medium`."""
        try:
            with self._opened(entry.path) as descriptor:
                found = os.fstat(descriptor)
        except UnreadableFileError:
            return False
        return found.st_size == entry.size and _modified(found) == entry.modified_at

    def small(self, path: str) -> bytes | None:
        """Return the beginning of a small file; see `Medium`."""
        try:
            with self._opened(tuple(os.fsencode(part) for part in path.split("/"))) as descriptor:
                return os.read(descriptor, SMALL_FILE_BYTES)
        except (OSError, UnreadableFileError):
            return None

    def failure(self, path: tuple[bytes, ...], error: OSError) -> MediumGoneError | UnreadableFileError:
        """Tell a medium that is gone from a file that is bad."""
        with suppress(OSError):
            facts = Path(self.path).lstat()
            if error.errno not in _GONE and _identity(facts) == self.identity and not _is_orphan(facts):
                return UnreadableFileError(f"{shown(path[-1]) if path else self.label}: {error.strerror}")
        return MediumGoneError(f"{self.label} was taken away")

    @contextmanager
    def _opened(self, path: tuple[bytes, ...]) -> Iterator[int]:
        if not path or _UPWARDS & set(path):
            raise UnreadableFileError("this leads out of the medium")
        with self._stepping(path[:-1]) as folder:
            try:
                descriptor = os.open(path[-1], _FILE, dir_fd=folder)
            except OSError as error:
                raise self.failure(path, error) from error
            try:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise UnreadableFileError(f"{shown(path[-1])} is no file")
                yield descriptor
            finally:
                os.close(descriptor)

    @contextmanager
    def _stepping(self, folders: tuple[bytes, ...]) -> Iterator[int]:
        """Step down from the root, folder by folder, following no link."""
        with ExitStack() as opened:
            try:
                descriptor = os.open(self.path, _FOLDER)
                opened.callback(os.close, descriptor)
                if _identity(os.fstat(descriptor)) != self.identity:
                    raise MediumGoneError(f"{self.label} was taken away")
                for folder in folders:
                    descriptor = os.open(folder, _FOLDER, dir_fd=descriptor)
                    opened.callback(os.close, descriptor)
            except OSError as error:
                raise self.failure(folders, error) from error
            yield descriptor

    def _walk(self, folder: int, way: tuple[bytes, ...], profile: Recorder) -> Iterator[Entry]:
        for name, facts in self._listing(folder, way):
            if len(name) > LONGEST_NAME:
                continue
            if stat.S_ISDIR(facts.st_mode):
                yield from self._descend(folder, (*way, name), profile)
            elif stat.S_ISREG(facts.st_mode) and is_footage(name, profile) and is_within(way, profile):
                yield Entry((*way, name), facts.st_size, _modified(facts))

    def _descend(self, folder: int, way: tuple[bytes, ...], profile: Recorder) -> Iterator[Entry]:
        if len(way) > DEEPEST or not leads_to(way, profile):
            return
        try:
            descriptor = os.open(way[-1], _FOLDER, dir_fd=folder)
        except OSError as error:
            self._pass_over(way, error)
            return
        try:
            yield from self._walk(descriptor, way, profile)
        finally:
            os.close(descriptor)

    def _listing(self, folder: int, way: tuple[bytes, ...]) -> list[tuple[bytes, os.stat_result]]:
        """Return what is in a folder, by name; nothing of a folder that is damaged."""
        found = []
        try:
            with os.scandir(folder) as listing:
                for each in islice(listing, MOST_FILES):
                    with suppress(FileNotFoundError):
                        found.append((os.fsencode(each.name), each.stat(follow_symlinks=False)))
        except OSError as error:
            self._pass_over(way, error)
        return sorted(found, key=itemgetter(0))

    def _pass_over(self, way: tuple[bytes, ...], error: OSError) -> None:
        """Go on without a folder that cannot be read; raise MediumGoneError when it is the whole medium."""
        failure = self.failure(way, error)
        if isinstance(failure, MediumGoneError):
            raise failure from error
        log.warning("folder_of_a_medium_unreadable", medium=self.label, reason=str(failure))


class _File:
    """An open file of a folder medium."""

    def __init__(self, medium: FolderMedium, path: tuple[bytes, ...], descriptor: int) -> None:
        self._medium, self.path, self._descriptor = medium, path, descriptor

    def read(self, size: int) -> bytes:
        """Read on; see `Source`."""
        try:
            return os.read(self._descriptor, size)
        except OSError as error:
            raise self._medium.failure(self.path, error) from error


def docked(parent: str, *, mounted: bool) -> list[FolderMedium]:
    """Return the media below a folder, by name; with `mounted`, only file systems of their own.

    Raises DeviceUnreachableError when there is no such folder.
    """
    media = []
    try:
        own = Path(parent).stat().st_dev
        with os.scandir(parent) as listing:
            for each in sorted(listing, key=lambda each: each.name):
                with suppress(OSError):  # a medium that dies while it is looked at is none
                    facts = each.stat(follow_symlinks=False)
                    is_medium = facts.st_dev != own and not _is_orphan(facts) if mounted else True
                    if stat.S_ISDIR(facts.st_mode) and is_medium:
                        media.append(FolderMedium(each.path, shown(os.fsencode(each.name)), _identity(facts)))
    except OSError as error:
        raise DeviceUnreachableError(f"the folder of the docks cannot be read: {error.strerror}") from error
    return media


def station(path: str) -> FolderMedium:
    """Return a station's folder as a medium; raise DeviceUnreachableError when it is not there."""
    try:
        facts = Path(path).stat()
    except OSError as error:
        raise DeviceUnreachableError(f"the station's folder cannot be read: {error.strerror}") from error
    if not stat.S_ISDIR(facts.st_mode):
        raise DeviceUnreachableError("the station's folder is no folder")
    return FolderMedium(os.path.realpath(path), "station", _identity(facts))


def _identity(facts: os.stat_result) -> Identity:
    return facts.st_dev, facts.st_ino


def _is_orphan(facts: os.stat_result) -> bool:
    """Tell whether the disk below a file system was pulled out: the kernel keeps what was mounted until it is told."""
    major = os.major(facts.st_dev)  # 0 for what has no disk of its own
    return major != 0 and not Path(f"/sys/dev/block/{major}:{os.minor(facts.st_dev)}").exists()


def _modified(facts: os.stat_result) -> datetime:
    try:
        return datetime.fromtimestamp(facts.st_mtime_ns // 1_000_000_000, UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)
