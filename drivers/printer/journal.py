"""The jobs of one printer on the box's disk: what was taken, what was begun, what became of it and was not told yet.

A job is written down before it is queued, and again before its first byte is sent. What the power cut off is so known
afterwards: it is ended as interrupted, or as not begun, and never begun again.
"""

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec

from drivers.printer import words
from protocol import logs
from protocol.clock import Clock
from protocol.lasting import replace_file
from protocol.messages import Receipt

_BROKEN_OFF: Final = "broken-off"

log = logs.get(__name__)


class Result(StrEnum):
    """What became of a job. Only the printer's own word makes `printed`."""

    PRINTED = "printed"
    SENT_UNCONFIRMED = "sent_unconfirmed"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    CANCELLED = "cancelled"


class Ending(msgspec.Struct, frozen=True):
    """How a job ended, and why in words for the people there."""

    result: Result
    detail: str = ""


class _Entry(msgspec.Struct, frozen=True, kw_only=True):
    job: UUID
    at: datetime
    begun: bool = False
    ending: Ending | None = None


class Journal:
    """One small file per job, in a folder of its own. Not for two programs at a time.

    Its methods return when the disk has it, for which they wait: all but `forget` and `receipts` are for a thread.
    """

    def __init__(self, folder: Path, device: str, clock: Clock) -> None:
        self._folder, self._device, self._clock = folder, device, clock
        self._ended: dict[UUID, _Entry] = {}
        self.broken_off = b""
        """What frees the printer from a ticket that broke off, empty when none did."""

    def load(self) -> None:
        """Read what was left, and end what was under way."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self.broken_off = path.read_bytes() if (path := self._folder / _BROKEN_OFF).exists() else b""
        for path in sorted(self._folder.glob("*.json")):
            entry = self._read(path)
            if entry.ending is None:
                cut_off = Ending(Result.INTERRUPTED, words.INTERRUPTED)
                self._end(entry, cut_off if entry.begun else Ending(Result.FAILED, words.NOT_BEGUN))
            else:
                self._ended[entry.job] = entry

    def _read(self, path: Path) -> _Entry:
        try:
            return msgspec.json.decode(path.read_bytes(), type=_Entry)
        except msgspec.DecodeError:
            # The disk has spoilt it: all that is known is that there was this job.
            log.exception("job_unreadable", device=self._device, file=path.name)
            return _Entry(job=UUID(path.stem), at=self._clock.now(), begun=True)

    def take(self, job: UUID) -> None:
        """Write down that a job was taken."""
        self._write(_Entry(job=job, at=self._clock.now()))

    def begin(self, job: UUID, recovery: bytes) -> None:
        """Write down that its ticket is about to be sent, and what frees the printer should it break off."""
        if self.broken_off != recovery:
            replace_file(self._folder / _BROKEN_OFF, recovery)
            self.broken_off = recovery
        self._write(_Entry(job=job, at=self._clock.now(), begun=True))

    def whole(self) -> None:
        """Note that no ticket is broken off any more."""
        (self._folder / _BROKEN_OFF).unlink(missing_ok=True)
        self.broken_off = b""

    def end(self, job: UUID, ending: Ending) -> Receipt:
        """Write down what became of it; return what is to be told of it."""
        return self._receipt(self._end(_Entry(job=job, at=self._clock.now()), ending))

    def receipts(self) -> list[Receipt]:
        """Return what is to be told: of all jobs that are not forgotten, in the order in which they ended."""
        return [self._receipt(entry) for entry in sorted(self._ended.values(), key=lambda entry: entry.at)]

    def forget(self, job: UUID) -> None:
        """Drop a job whose receipt is safe. Should the power go now, it is told again."""
        if self._ended.pop(job, None):
            self._file(job).unlink(missing_ok=True)

    def _end(self, entry: _Entry, ending: Ending) -> _Entry:
        ended = msgspec.structs.replace(entry, at=self._clock.now(), begun=True, ending=ending)
        self._write(ended)
        self._ended[entry.job] = ended
        return ended

    def _receipt(self, entry: _Entry) -> Receipt:
        ending = entry.ending or Ending(Result.INTERRUPTED)
        return Receipt(device=self._device, at=entry.at, job=str(entry.job), result=ending.result, detail=ending.detail)

    def _write(self, entry: _Entry) -> None:
        replace_file(self._file(entry.job), msgspec.json.encode(entry))

    def _file(self, job: UUID) -> Path:
        return self._folder / f"{job}.json"
