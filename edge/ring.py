"""What a device sent, byte for byte, kept on the box for a while as evidence: newest in, oldest out.

A ring is a folder of segments named for the time of their first entry. An entry is its wall time in microseconds since
1970 (8 bytes, big-endian), its length (4 bytes), and the bytes. Entries are handed to the operating system at once, so
they survive the death of the process; a power cut may cost the last seconds. A torn entry ends its segment.
"""

import errno
import os
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from protocol import logs

_HEAD: Final = struct.Struct(">QI")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SEGMENTS: Final = 16
_SUFFIX: Final = ".raw"

log = logs.get(__name__)


class Ring:
    """The ring of one device; at most `max_bytes` on disk, give or take one segment's last entry."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._segment_bytes = max(max_bytes // _SEGMENTS, _HEAD.size + 1)
        self._file: int | None = None
        self._segment = folder
        self._written = 0
        self._failing = False

    def write(self, at: datetime, payload: bytes) -> None:
        """Add an entry. When the disk does not take it the entry is lost, which is said once."""
        if self._max_bytes == 0:
            return
        entry = _HEAD.pack((at - _EPOCH) // timedelta(microseconds=1), len(payload)) + payload
        try:
            if self._file is None or self._written + len(entry) > self._segment_bytes:
                self._file = self._turn(at)
            taken = os.write(self._file, entry)
            self._written += taken
            if taken < len(entry):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # noqa: TRY301 - the system says it next time only
        except OSError as error:
            self._abandon()
            if not self._failing:
                log.warning("raw_data_not_kept", folder=self._folder.name, reason=str(error))
            self._failing = True
        else:
            self._failing = False

    def close(self) -> None:
        """Close the current segment; the next entry begins another."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _abandon(self) -> None:
        """Let nothing follow a torn entry, and no empty segment stay for each that was in vain."""
        if self._file is not None and self._written == 0:
            self._segment.unlink(missing_ok=True)
        self.close()

    def _turn(self, at: datetime) -> int:
        self.close()
        self._folder.mkdir(parents=True, exist_ok=True)
        segments = _segments(self._folder)
        size = sum(segment.stat().st_size for segment in segments)
        while segments and size + self._segment_bytes > self._max_bytes:
            oldest = segments.pop(0)
            size -= oldest.stat().st_size
            oldest.unlink()
        # The number comes first in the name: the wall clock may jump, the order must not.
        number = int(segments[-1].name.partition("-")[0]) + 1 if segments else 1
        self._segment = self._folder / f"{number:010d}-{at:%Y%m%dT%H%M%S}{_SUFFIX}"
        self._written = 0
        return os.open(self._segment, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)


def entries(folder: Path) -> Iterator[tuple[datetime, bytes]]:
    """Yield what a ring's folder holds, oldest first."""
    for segment in _segments(folder):
        content = segment.read_bytes()
        place = 0
        while place + _HEAD.size <= len(content):
            microseconds, length = _HEAD.unpack_from(content, place)
            place += _HEAD.size
            if place + length > len(content):
                break
            yield _EPOCH + timedelta(microseconds=microseconds), content[place : place + length]
            place += length


def _segments(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{_SUFFIX}"))
