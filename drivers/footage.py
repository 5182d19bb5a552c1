"""Recorded footage on the box: a folder of files named by their SHA-256, each with a note of what it is.

A driver that records keeps its clips here, under `footage` in its own folder; the box carries them to the hub from
there (`edge.uploads`) and knows nothing else of recorders. Beside a clip lie up to two small JSON files:

    <sha256>            the bytes, never altered
    <sha256>.json       Clip: written by the driver, stays after the bytes have gone, so that a clip is known again
    <sha256>.upload     Carriage: how far its way to the hub has come, written by whoever carries it

Whatever is cut off at any moment, a clip is either whole, with its note, or not there.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar
from uuid import UUID

import msgspec
from msgspec import Meta

from protocol import logs
from protocol.lasting import replace_file, sync_folder
from protocol.messages import Device, Sha256, Timestamp

FOLDER: Final = "footage"
_INCOMING: Final = "incoming"
_NOTE: Final = ".json"
_CARRIAGE: Final = ".upload"
_LARGEST_NOTE: Final = 64 * 1024
_REMEMBERED: Final = 20_000
_DIGEST_CHARACTERS: Final = 64

log = logs.get(__name__)


class Clip(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a clip.

    `sm3` is its hash by GB/T 32905-2016. `began_at` and `ended_at` are corrected times, where they are known. `event`
    is the id of the event that tells of it, `facts` that event's data, `told` whether the box has it. `marks` are how
    the driver knows the file again without reading it whole.
    """

    sha256: Sha256
    sm3: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    bytes: Annotated[int, Meta(ge=0)]
    device: Device
    file_name: str
    kept_at: Timestamp
    event: UUID
    began_at: Timestamp | None = None
    ended_at: Timestamp | None = None
    facts: dict[str, Any] = {}
    marks: tuple[str, ...] = ()
    told: bool = False


class Carriage(msgspec.Struct, frozen=True, kw_only=True):
    """How far a clip's way to the hub has come.

    `url` is its upload at the hub. `confirmed_at` is when the hub said that it has these very bytes, `keep_until` how
    long the box keeps its own after that. `refused` is why the hub does not take them, as of `refused_at`.
    """

    url: str = ""
    confirmed_at: Timestamp | None = None
    keep_until: Timestamp | None = None
    refused: str = ""
    refused_at: Timestamp | None = None


NoteT = TypeVar("NoteT", Clip, Carriage)


class Footage:
    """The clips of one device. Its methods touch the disk, and raise OSError when that says no."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / FOLDER
        self.clips: dict[str, Clip] = {}
        self._marks: dict[str, str] = {}

    def load(self) -> None:
        """Read the notes, finish what was nearly kept, and clear away what was not."""
        incoming = self.folder / _INCOMING
        incoming.mkdir(parents=True, exist_ok=True)
        for clip in clips(self.folder):
            part = self.part(clip.event)
            if part.exists():
                part.replace(self.path(clip.sha256))
            if self.has(clip.sha256) or carriage(self.folder, clip.sha256).confirmed_at is not None:
                self._know(clip)
            else:
                log.error("clip_is_missing", device=clip.device, sha256=clip.sha256)
        for leftover in incoming.iterdir():
            leftover.unlink()
        self._forget_the_oldest()

    def part(self, event: UUID) -> Path:
        """Return where the bytes of a clip gather until it is known what they are."""
        return self.folder / _INCOMING / str(event)

    def path(self, sha256: str) -> Path:
        """Return where the bytes of a clip lie."""
        return self.folder / sha256

    def has(self, sha256: str) -> bool:
        """Tell whether the bytes of a clip lie here."""
        return self.path(sha256).exists()

    def keep(self, clip: Clip) -> None:
        """Keep the part of this clip's event, whose bytes are on the disk, together with its note."""
        # The note first: whoever finds it without the clip looks for the part.
        _write(self.folder / (clip.sha256 + _NOTE), clip)
        self.part(clip.event).replace(self.path(clip.sha256))
        sync_folder(self.folder)
        self._know(clip)

    def drop(self, event: UUID) -> None:
        """Delete the part of a clip that is not kept."""
        self.part(event).unlink(missing_ok=True)

    def marked(self, mark: str) -> Clip | None:
        """Return the clip that bears a mark."""
        digest = self._marks.get(mark)
        return None if digest is None else self.clips[digest]

    def note(self, clip: Clip) -> None:
        """Write a clip's note anew."""
        _write(self.folder / (clip.sha256 + _NOTE), clip)
        self._know(clip)

    def delete(self, sha256: str) -> int:
        """Delete a clip's bytes and keep its note; return how many bytes that freed. For the hub's copies only."""
        return discard(self.folder, self.clips[sha256])

    def _know(self, clip: Clip) -> None:
        self.clips[clip.sha256] = clip
        self._marks.update(dict.fromkeys(clip.marks, clip.sha256))

    def _forget_the_oldest(self) -> None:
        gone = [clip for clip in self.clips.values() if clip.told and not self.has(clip.sha256)]
        for clip in gone[: max(0, len(self.clips) - _REMEMBERED)]:
            del self.clips[clip.sha256]
            for mark in clip.marks:
                self._marks.pop(mark, None)
            for ending in (_NOTE, _CARRIAGE):
                (self.folder / (clip.sha256 + ending)).unlink(missing_ok=True)


def clips(folder: Path) -> Iterator[Clip]:
    """Yield every clip that a folder of footage has a note of, the earliest kept first."""
    found = (_read(file, Clip) for file in folder.glob(f"*{_NOTE}"))
    yield from sorted((clip for clip in found if clip is not None), key=lambda clip: (clip.kept_at, clip.sha256))


def present(folder: Path) -> Iterator[Clip]:
    """Yield the clips whose bytes lie in a folder of footage, in no order; cheap beside many that have gone."""
    try:
        names = [entry.name for entry in os.scandir(folder) if len(entry.name) == _DIGEST_CHARACTERS]
    except FileNotFoundError:
        return
    for name in names:
        if (clip := _read(folder / (name + _NOTE), Clip)) is not None:
            yield clip


def carriage(folder: Path, sha256: str) -> Carriage:
    """Return how far a clip's way has come."""
    return _read(folder / (sha256 + _CARRIAGE), Carriage) or Carriage()


def note_carriage(folder: Path, sha256: str, state: Carriage) -> None:
    """Write down how far a clip's way has come; on return that survives a power cut."""
    _write(folder / (sha256 + _CARRIAGE), state)


def discard(folder: Path, clip: Clip) -> int:
    """Delete a clip's bytes; return how many that freed. Without the hub's confirmation nothing is deleted."""
    if carriage(folder, clip.sha256).confirmed_at is None or not (folder / clip.sha256).exists():
        return 0
    (folder / clip.sha256).unlink()
    return clip.bytes


def _read(file: Path, kind: type[NoteT]) -> NoteT | None:
    try:
        with file.open("rb") as open_file:
            return msgspec.json.decode(open_file.read(_LARGEST_NOTE), type=kind)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        log.warning("note_of_footage_unreadable", file=file.name, reason=str(error))
        return None


def _write(file: Path, note: Clip | Carriage) -> None:
    replace_file(file, msgspec.json.encode(note))
