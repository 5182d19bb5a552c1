"""Unfinished files on the disk. The size of a file is how far its upload has come, whoever was killed when."""

import errno
import os
import shutil
import sys
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from uuid import UUID

from hub.uploads.digests import Digests
from protocol.errors import RefusedRequestError, StoreUnavailableError
from protocol.lasting import sync_folder

if sys.platform != "win32":
    import fcntl

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class PartFile:
    """An unfinished file, open for appending; other processes keep off it. Blocks: for threads.

    Opening raises RefusedRequestError (423) when another process has it, and StoreUnavailableError.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise StoreUnavailableError(f"uploads: {error}") from error
        try:
            if sys.platform != "win32":
                fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            sync_folder(path.parent)
        except BlockingIOError as error:
            os.close(self._handle)
            raise RefusedRequestError("uploads.busy", "another process works on this upload", status=423) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let others have it."""
        os.close(self._handle)

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return os.fstat(self._handle).st_size

    def append(self, piece: bytes, digests: Digests | None) -> None:
        """Write the bytes at the end, and hash what was written. Raises StoreUnavailableError; a part may be there."""
        rest = memoryview(piece)
        try:
            while rest:
                written = os.write(self._handle, rest)
                if digests is not None:
                    digests.update(rest[:written])
                rest = rest[written:]
        except OSError as error:
            if error.errno in _FULL:
                raise _full() from error
            raise StoreUnavailableError(f"uploads: {error}") from error

    def sync(self) -> None:
        """Return when a power cut would leave everything there. Raises StoreUnavailableError."""
        try:
            os.fsync(self._handle)
        except OSError as error:
            raise StoreUnavailableError(f"uploads: {error}") from error


class UploadFolder:
    """The folder of unfinished files, each named by the id of its upload."""

    def __init__(self, root: Path, reserve_bytes: int) -> None:
        self._root = root
        self._reserve = reserve_bytes

    def path(self, upload_id: UUID) -> Path:
        """Return where the file of an upload is or will be."""
        return self._root / upload_id.hex

    def size(self, upload_id: UUID) -> int | None:
        """Return how many bytes there are, None when there is no file. Raises StoreUnavailableError."""
        try:
            return self.path(upload_id).stat().st_size
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreUnavailableError(f"uploads: {error}") from error

    def require_room(self, wanted: int) -> None:
        """Raise RefusedRequestError (507) when so many bytes would eat into the reserve."""
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(self._root).free
        except OSError as error:
            raise StoreUnavailableError(f"uploads: {error}") from error
        if free - wanted < self._reserve:
            raise _full()

    def remove(self, upload_id: UUID) -> None:
        """Forget the bytes of an upload. Raises StoreUnavailableError."""
        try:
            self.path(upload_id).unlink(missing_ok=True)
        except OSError as error:
            raise StoreUnavailableError(f"uploads: {error}") from error

    def every(self) -> list[UUID]:
        """Return the uploads that have a file; other files are passed over."""
        names = [path.name for path in self._root.iterdir()] if self._root.is_dir() else []
        return [UUID(name) for name in names if len(name) == len(UUID(int=0).hex) and _is_hex(name)]


def _full() -> RefusedRequestError:
    return RefusedRequestError("uploads.disk_full", "the hub's disk is full; try again later", status=507)


def _is_hex(name: str) -> bool:
    return all(letter in "0123456789abcdef" for letter in name)
