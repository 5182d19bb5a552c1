"""SHA-256 and SM3 of a file, in one pass, as its bytes come or from the disk."""

import hashlib
from pathlib import Path
from typing import Final, NamedTuple

_PIECE: Final = 1024 * 1024


class Hashes(NamedTuple):
    """Both hashes of the same bytes in hexadecimal: SHA-256 (FIPS 180-4) and SM3 (GB/T 32905-2016)."""

    sha256: str
    sm3: str


class Digests:
    """Both hashes on their way; `size` is how many bytes went in."""

    def __init__(self) -> None:
        self.size = 0
        self._sha256 = hashlib.sha256()
        self._sm3 = hashlib.new("sm3")

    def update(self, piece: bytes | memoryview) -> None:
        """Take the bytes that follow."""
        self._sha256.update(piece)
        self._sm3.update(piece)
        self.size += len(piece)

    def hashes(self) -> Hashes:
        """Return the hashes of what went in."""
        return Hashes(self._sha256.hexdigest(), self._sm3.hexdigest())


def digests_of(path: Path) -> Digests:
    """Return the digests of a whole file. Raises OSError."""
    digests = Digests()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digests.update(piece)
    return digests
