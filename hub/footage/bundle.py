"""The bundle: one zip with a clip, what is known of it, and the proofs of its history. `diwang verify` reads it again.

Everything in it is bound to the log: the clip by the hash in its entries, the description and the leaflet by their
hashes in the entry of the export, the proofs by themselves.
"""

import hashlib
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

DESCRIPTION: Final = "metadata.json"
PROOFS: Final = "custody.json"
LEAFLET: Final = "README.txt"
CLIPS: Final = "clip/"

LEAFLET_TEXT: Final = """\
地网 执法音像证据包 / Diwang evidence bundle

clip/<SHA-256>   录像原件,未作任何改动 / the recording as it was received, unaltered
metadata.json    录像的说明 / what is known of it
custody.json     保管链:每项操作、签名的检查点、时间戳 / every act on it, signed checkpoint, time stamp

离线核验 / to verify offline:   diwang verify <this file> --key <key of the log>
密钥请向出具单位另行核对。/ Get the key of the log from its publisher, not from this file.
"""

_PIECE: Final = 256 * 1024
_EARLIEST: Final = (1980, 1, 1, 0, 0, 0)


def file_hashes(description: str) -> dict[str, str]:
    """Return what the entry of an export commits to beside the clip: SHA-256 by name."""
    texts = {DESCRIPTION: description, LEAFLET: LEAFLET_TEXT}
    return {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()}


def bundled(clip: Path, sha256: str, description: str, proofs: bytes) -> Iterator[bytes]:
    """Yield the bytes of a bundle, piece by piece; the clip is never held whole. Raises OSError."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as bundle, clip.open("rb") as source:
        for name, text in ((LEAFLET, LEAFLET_TEXT.encode()), (DESCRIPTION, description.encode()), (PROOFS, proofs)):
            bundle.writestr(zipfile.ZipInfo(name, _EARLIEST), text)
        with bundle.open(zipfile.ZipInfo(CLIPS + sha256, _EARLIEST), "w", force_zip64=True) as file:
            while piece := source.read(_PIECE):
                file.write(piece)
                yield sink.taken()
    yield sink.taken()


class _Sink(io.RawIOBase):
    """A file that is only written, and taken from as it grows."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, piece: object, /) -> int:
        taken = bytes(memoryview(piece))  # type: ignore[arg-type]  # what zipfile hands over is a buffer
        self._pieces.append(taken)
        return len(taken)

    def taken(self) -> bytes:
        """Return what was written since the last time."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)
