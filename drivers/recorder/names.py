"""What a file's name claims, and how a name of any bytes is shown."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from firmware_configs.recorders import Recorder

LONGEST_SHOWN: Final = 200
_FIRST_YEAR: Final = 1969
_LAST_YEAR: Final = 2200


@dataclass(frozen=True, slots=True)
class Claims:
    """What a name says: unit, officer, start by the unit's clock as UTC, sequence. All of it may be wrong."""

    unit: str | None = None
    officer: str | None = None
    began_at: datetime | None = None
    sequence: int | None = None


def shown(name: bytes) -> str:
    r"""Return a name as text that is safe to show: UTF-8, or else GB18030, or else escaped bytes.

    Control characters and marks that turn the writing direction become `\x..`, so that no name can look like another.
    """
    try:
        text = name.decode("utf-8")
    except UnicodeDecodeError:
        try:
            text = name.decode("gb18030")
        except UnicodeDecodeError:
            text = name.decode("ascii", "backslashreplace")
    safe = "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in text)
    return safe if len(safe) <= LONGEST_SHOWN else safe[: LONGEST_SHOWN - 1] + "…"


def is_footage(name: bytes, profile: Recorder) -> bool:
    """Tell whether a name ends as footage does, and is not hidden."""
    folded = name.lower()
    return not name.startswith(b".") and any(folded.endswith(ending.encode()) for ending in profile.endings)


def claims(name: bytes, profile: Recorder) -> Claims:
    """Read a name by the profile's patterns; one that fits none claims nothing."""
    text = shown(name)
    for pattern in profile.names:
        if found := re.fullmatch(pattern, text, re.ASCII):
            said = found.groupdict()
            number = said.get("sequence")
            return Claims(
                unit=said.get("unit"),
                officer=said.get("officer"),
                began_at=instant(said.get("at") or "", profile.time_format, profile.utc_offset_h),
                sequence=int(number) if number and number.isdecimal() else None,
            )
    return Claims()


def instant(text: str, time_format: str, utc_offset_h: float) -> datetime | None:
    """Read a unit's local time; None for what is none."""
    try:
        local = datetime.strptime(text, time_format)  # noqa: DTZ007 - its zone is the profile's
        return sane(local.replace(tzinfo=UTC) - timedelta(hours=utc_offset_h))
    except (ValueError, OverflowError):
        return None


def sane(at: datetime | None) -> datetime | None:
    """Return a time that one can reckon with; a unit that never knew the time says 1970, a hostile file anything."""
    return at if at is not None and _FIRST_YEAR <= at.year <= _LAST_YEAR else None
