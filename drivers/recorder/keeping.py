"""One file's way from a medium into the box's footage: copied, read back, looked into, kept."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec

from drivers.footage import Clip
from drivers.recorder.copying import Copied, copy, read_back
from drivers.recorder.describing import describe
from drivers.recorder.dock import Dock
from drivers.recorder.media import Entry, Medium
from drivers.recorder.names import shown
from drivers.recorder.probing import probe
from drivers.recorder.unit_clock import UnitClock
from protocol.errors import DiwangError

_MARKS: Final = 16


class ChangedFileError(DiwangError):
    """The file was written to while it was being read."""


class CopyDiffersError(DiwangError):
    """The box's disk holds other bytes than were written to it."""


@dataclass(frozen=True, slots=True)
class Brought:
    """A file that was copied and not yet checked; `event` names its part."""

    entry: Entry
    mark: str
    event: UUID
    copied: Copied


async def bring(dock: Dock, medium: Medium, entry: Entry, mark: str, progress: Callable[[int], None]) -> Brought:
    """Copy a file; `progress` hears from a thread how many bytes have come.

    Raises ChangedFileError, and what `copy` and the medium raise. What was copied until then is dropped.
    """
    event = dock.clock.new_id()
    part = dock.footage.part(event)
    whole = False
    try:
        copied = await dock.hands.do(_copy, dock, medium, entry, part, progress)
        whole = copied.bytes == entry.size and await dock.hands.do(medium.unchanged, entry)
    finally:
        if not whole:
            dock.footage.drop(event)
    if not whole:
        raise ChangedFileError(f"{shown(entry.name)} was changed while it was read")
    return Brought(entry, mark, event, copied)


async def keep(dock: Dock, medium: Medium, brought: Brought, unit_clock: UnitClock) -> Clip | None:
    """Compare a copy with what was read from the medium, look into it, and keep it.

    Returns None when the same bytes are here already, under another name or from another medium: there is no second
    copy. Raises CopyDiffersError, StoreUnavailableError and OSError; nothing of it is kept then.
    """
    footage, part = dock.footage, dock.footage.part(brought.event)
    if (known := footage.clips.get(brought.copied.sha256)) is not None:
        marks = (*known.marks, brought.mark)[-_MARKS:]
        await dock.hands.do(footage.note, msgspec.structs.replace(known, marks=marks))
        footage.drop(brought.event)
        return None
    if await dock.hands.do(read_back, part, dock.hands.stop) != brought.copied.sha256:
        footage.drop(brought.event)
        raise CopyDiffersError(f"{shown(brought.entry.name)}: the box's disk holds other bytes than were written")
    clip = describe(
        device=dock.device,
        event=brought.event,
        kept_at=dock.clock.now(),
        medium=medium.label,
        entry=brought.entry,
        profile=dock.profile,
        copied=brought.copied,
        probed=await probe(part),
        clock=unit_clock,
        mark=brought.mark,
    )
    await dock.hands.do(footage.keep, clip)
    return clip


def _copy(dock: Dock, medium: Medium, entry: Entry, part: Path, progress: Callable[[int], None]) -> Copied:
    with medium.open(entry) as source:
        return copy(source, part, dock.room, dock.hands.stop, progress)
