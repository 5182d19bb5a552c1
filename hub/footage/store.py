"""Where footage lies: a folder, each file named by the SHA-256 of its bytes, read-only, written whole or not at all."""

from pathlib import Path
from typing import Final

from protocol.errors import StoreUnavailableError
from protocol.lasting import sync_folder

OCTETS: Final = "application/octet-stream"

_HEAD: Final = 16
_MAGIC: Final = (
    (4, b"ftyp", "video/mp4"),  # ISO/IEC 14496-12
    (8, b"AVI ", "video/x-msvideo"),
    (8, b"WAVE", "audio/wav"),
    (0, b"\x1aE\xdf\xa3", "video/webm"),  # EBML, RFC 8794
    (0, b"OggS", "audio/ogg"),  # RFC 3533
    (0, b"\xff\xd8\xff", "image/jpeg"),
)


class FootageFolder:
    """Content-addressed files in 256 sub-folders. Blocks: for threads. Every method raises StoreUnavailableError."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, sha256: str) -> Path:
        """Return where the bytes of this name are or will be."""
        return self._root / sha256[:2] / sha256

    def size(self, sha256: str) -> int | None:
        """Return how many bytes are kept under this name, None when there are none."""
        try:
            return self.path(sha256).stat().st_size
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreUnavailableError(f"footage: {error}") from error

    def adopt(self, file: Path, sha256: str) -> None:
        """Move a file of the same disk here, whose bytes hash to this name; moving it again changes nothing."""
        path = self.path(sha256)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if file.exists():
                file.chmod(0o400)
                file.replace(path)
            sync_folder(path.parent)
            sync_folder(path.parent.parent)
        except OSError as error:
            raise StoreUnavailableError(f"footage: {error}") from error

    def remove(self, sha256: str) -> None:
        """Delete the bytes, if they are there; on return they are gone for good."""
        path = self.path(sha256)
        try:
            path.unlink(missing_ok=True)
            if path.parent.is_dir():
                sync_folder(path.parent)
        except OSError as error:
            raise StoreUnavailableError(f"footage: {error}") from error

    def content_type(self, sha256: str) -> str:
        """Return what the first bytes show, of the containers that recorders write."""
        try:
            with self.path(sha256).open("rb") as file:
                return sniffed(file.read(_HEAD))
        except OSError as error:
            raise StoreUnavailableError(f"footage: {error}") from error


def sniffed(head: bytes) -> str:
    """Return the media type that the first bytes show; `application/octet-stream` for all others."""
    return next((kind for place, magic, kind in _MAGIC if head[place : place + len(magic)] == magic), OCTETS)
