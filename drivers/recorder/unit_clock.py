"""How wrong a unit's clock is, measured when it docks. Pure."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from drivers.recorder.names import instant, shown
from firmware_configs.recorders import ClockFile, Recorder

_NO_RECORDER_BEFORE: Final = datetime(2015, 1, 1, tzinfo=UTC)
_AHEAD_S: Final = 60.0


class Trust(StrEnum):
    """What the offset rests on."""

    CLOCK_FILE = "clock_file"
    """The unit wrote its clock down when it became a disk."""

    AHEAD = "ahead"
    """The newest file is of the future: the clock is ahead by at least so much."""

    UNMEASURED = "unmeasured"
    """Nothing speaks against the clock, and nothing for it: one that is slow cannot be told from an old file."""

    UNSET = "unset"
    """The clock was never set: its times mean nothing, only the time between them does."""


@dataclass(frozen=True, slots=True)
class UnitClock:
    """The unit's clock minus the box's, in seconds; None when it cannot be said."""

    trust: Trust
    offset_s: float | None = None

    def corrected(self, at: datetime | None) -> datetime | None:
        """Return a time of the unit's clock as the box would have told it; None when nobody can say.

        A unit whose battery died keeps recording by a clock that begins anew: such a time is none, beside good ones.
        """
        if at is None or self.trust is Trust.UNSET:
            return None
        if at < _NO_RECORDER_BEFORE and self.trust is not Trust.CLOCK_FILE:
            return None
        return at - timedelta(seconds=self.offset_s or 0.0)


def measure(docked_at: datetime, said: datetime | None, newest: datetime | None) -> UnitClock:
    """Judge a clock by what the unit says of it (`said`) and by its newest file, both as UTC."""
    if said is not None:
        return UnitClock(Trust.CLOCK_FILE, (said - docked_at).total_seconds())
    if newest is None:
        return UnitClock(Trust.UNMEASURED)
    if newest < _NO_RECORDER_BEFORE:
        return UnitClock(Trust.UNSET)
    if (ahead_s := (newest - docked_at).total_seconds()) > _AHEAD_S:
        return UnitClock(Trust.AHEAD, ahead_s)
    return UnitClock(Trust.UNMEASURED)


def said_by(content: bytes | None, clock_file: ClockFile, profile: Recorder) -> datetime | None:
    """Read the unit's own note of its clock."""
    if content is None:
        return None
    found = re.search(clock_file.pattern, shown(content), re.ASCII)
    return instant(found["at"], clock_file.time_format, profile.utc_offset_h) if found else None
