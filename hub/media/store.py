"""Where pictures lie: a folder, each file named by the SHA-256 of its bytes, written whole or not at all."""

import asyncio
import os
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from protocol.errors import StoreUnavailableError
from protocol.lasting import sync_folder


class MediaStore(Protocol):
    """Content-addressed bytes. Every method raises StoreUnavailableError when the store is away or full."""

    async def put(self, sha256: str, payload: bytes) -> None:
        """Keep the bytes; on return they survive a power cut. Keeping them again changes nothing."""
        ...

    async def get(self, sha256: str) -> bytes | None:
        """Return the bytes, None when there are none under this name."""
        ...

    async def remove(self, sha256: str) -> None:
        """Forget the bytes, if they are there."""
        ...


class MediaFolder:
    """MediaStore on a folder, in 256 sub-folders so that none grows too long."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def put(self, sha256: str, payload: bytes) -> None:
        try:
            await asyncio.to_thread(_write, self._path(sha256), payload)
        except OSError as error:
            raise StoreUnavailableError(f"media: {error}") from error

    async def get(self, sha256: str) -> bytes | None:
        try:
            return await asyncio.to_thread(self._path(sha256).read_bytes)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreUnavailableError(f"media: {error}") from error

    async def remove(self, sha256: str) -> None:
        try:
            await asyncio.to_thread(self._path(sha256).unlink, missing_ok=True)
        except OSError as error:
            raise StoreUnavailableError(f"media: {error}") from error

    def _path(self, sha256: str) -> Path:
        return self._root / sha256[:2] / sha256


def _write(path: Path, payload: bytes) -> None:
    if not path.exists():
        _write_new(path, payload)
    # Also when it was there: a crash may have come between its name and this.
    sync_folder(path.parent)
    sync_folder(path.parent.parent)


def _write_new(path: Path, payload: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{uuid4().hex}")
    try:
        with unfinished.open("wb") as file:
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
