"""Copying a clip so that it can be relied on: two hashes in one pass, on the disk, read back from the disk itself.

A plain second reading would come from memory and prove nothing of the medium: measured here, none of 256 MiB came from
the disk. So what was written is flushed and thrown out of the page cache before it is read back.
"""

import hashlib
import os
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from drivers.recorder.media import Entry, Medium, Source
from protocol.errors import DeviceUnreachableError, StoreUnavailableError

BLOCK: Final = 2 << 20
"""Bytes of one reading: enough that handing them to the other thread costs nothing beside them."""

SAMPLE: Final = 64 << 10
_LOOK_AT_ROOM: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class Copied:
    """What was read from the medium."""

    sha256: str
    sm3: str
    bytes: int


class Stopped(DeviceUnreachableError):  # noqa: N818 - nothing went wrong
    """The box closes the recorder."""


@dataclass(frozen=True, slots=True)
class Room:
    """The room that copies must leave on the disk of a folder."""

    folder: Path
    reserve_bytes: int

    def left(self) -> int:
        """Return the bytes that may still be taken; negative when the reserve is being used."""
        return shutil.disk_usage(self.folder).free - self.reserve_bytes

    def need(self, size: int) -> None:
        """Raise StoreUnavailableError unless so many bytes may be taken."""
        if (left := self.left()) < size:
            raise StoreUnavailableError(f"the disk has no room for {size} bytes more: {max(left, 0)} may be used")


def copy(source: Source, part: Path, room: Room, stop: threading.Event, progress: Callable[[int], None]) -> Copied:
    """Copy to the part, hashing with SHA-256 (FIPS 180-4) and SM3 (GB/T 32905-2016) on the way.

    `progress` is told, on this thread, how many bytes have come. Raises what the source raises; StoreUnavailableError
    when the disk has no room, or says no; Stopped. The part is then incomplete.
    """
    sha256, sm3, size = hashlib.sha256(), hashlib.new("sm3"), 0
    look_at = _LOOK_AT_ROOM
    with ThreadPoolExecutor(1, "sm3") as beside:
        hashed: Future[None] | None = None
        try:
            with part.open("wb", buffering=0) as file:
                while block := source.read(BLOCK):
                    if stop.is_set():
                        raise Stopped("the recorder is closed in mid-copy")
                    # SM3 is several times slower than the rest: it works while the next block is being read.
                    if hashed is not None:
                        hashed.result()
                    hashed = beside.submit(sm3.update, block)
                    sha256.update(block)
                    _write(file.fileno(), block)
                    size += len(block)
                    progress(size)
                    if size >= look_at:
                        room.need(BLOCK)
                        look_at = size + _LOOK_AT_ROOM
        except OSError as error:  # the disk's: a medium says its own otherwise
            raise StoreUnavailableError(f"the clip cannot be written: {error.strerror}") from error
    return Copied(sha256.hexdigest(), sm3.hexdigest(), size)


def read_back(part: Path, stop: threading.Event) -> str:
    """Return the SHA-256 of what the disk itself holds of a part. Raises StoreUnavailableError and Stopped."""
    sha256 = hashlib.sha256()
    try:
        flush_out(part)
        with part.open("rb", buffering=0) as file:
            while block := file.read(BLOCK):
                if stop.is_set():
                    raise Stopped("the recorder is closed in mid-copy")
                sha256.update(block)
    except OSError as error:
        raise StoreUnavailableError(f"the copy cannot be read back: {error.strerror}") from error
    return sha256.hexdigest()


def flush_out(part: Path) -> None:
    """Put a file on the disk and out of the page cache. Raises OSError."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def mark(medium: Medium, entry: Entry) -> str:
    """Return what a file is known again by without reading it whole: its way, size, time, and samples of its bytes.

    A recorder never writes into a finished clip, and no two recordings begin with the same 64 KiB of compressed
    picture: a file with the same mark is the same file, docked again. Raises as `Medium.open`.
    """
    found = hashlib.sha256(b"\0".join(entry.path))
    found.update(f"\0{entry.size}\0{entry.modified_at.isoformat()}\0".encode())
    found.update(medium.sample(entry, (0, entry.size // 2, max(0, entry.size - SAMPLE)), SAMPLE))
    return found.hexdigest()


def _write(descriptor: int, block: bytes) -> None:
    view = memoryview(block)
    while view:
        view = view[os.write(descriptor, view) :]
