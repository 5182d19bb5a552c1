"""Body-worn recorders: where a unit keeps its footage, and what its file names say.

A name is a claim, never a fact: it was written by a clock that may be wrong and a number that anybody can set. No
standard fixes it either: GA/T 947-2015 leaves the names to the maker, so a profile is checked on the first docking.
"""

import re
from datetime import datetime
from typing import Annotated, Final

from msgspec import Meta, Struct

from firmware_configs.schema import Family, Profile

GROUPS: Final = frozenset({"unit", "officer", "at", "sequence"})
_SOME_INSTANT: Final = datetime(2026, 11, 24, 13, 14, 15)  # noqa: DTZ001 - a unit's clock knows no zone

Pattern = Annotated[str, Meta(min_length=1, max_length=300)]
TimeFormat = Annotated[str, Meta(min_length=2, max_length=64)]
Folder = Annotated[str, Meta(pattern=r"^[^/\\\x00-\x1f]{1,64}(/[^/\\\x00-\x1f]{1,64}){0,7}$")]


class ClockFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A small file in which a unit writes down its clock when it becomes a disk."""

    path: Folder
    pattern: Pattern
    time_format: TimeFormat = "%Y-%m-%d %H:%M:%S"

    def __post_init__(self) -> None:
        """Refuse a pattern that finds no time."""
        _check_pattern(self.pattern, needed={"at"})
        _check_format(self.time_format)


class Recorder(Profile, frozen=True, kw_only=True):
    """A family of units.

    `folders` are where footage lies below the root of the medium; none means anywhere. `names` are regular expressions
    for the whole file name, tried in turn; their groups are `unit`, `officer`, `at` (the start, in `time_format`) and
    `sequence`. `endings` are the file types that are footage. The unit's clock is `utc_offset_h` ahead of UTC.
    `modified_is_local`: the box sees the times of files as the unit's local time, as a FAT file system keeps them.
    """

    names: Annotated[tuple[Pattern, ...], Meta(max_length=16)]
    folders: Annotated[tuple[Folder, ...], Meta(max_length=16)] = ()
    endings: Annotated[tuple[Annotated[str, Meta(pattern=r"^\.[a-z0-9]{1,8}$")], ...], Meta(min_length=1)] = (
        ".mp4",
        ".mov",
        ".avi",
        ".ts",
        ".wav",
        ".mp3",
        ".jpg",
    )
    time_format: TimeFormat = "%Y%m%d%H%M%S"
    utc_offset_h: Annotated[float, Meta(ge=-12, le=14)] = 8.0
    modified_is_local: bool = False
    clock_file: ClockFile | None = None

    def __post_init__(self) -> None:
        """Refuse patterns and formats that cannot be used."""
        for pattern in self.names:
            _check_pattern(pattern, needed=set())
        _check_format(self.time_format)


RECORDERS: Final = Family("recorders", Recorder)


def _check_pattern(pattern: str, needed: set[str]) -> None:
    try:
        groups = set(re.compile(pattern).groupindex)
    except re.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
    if strange := groups - GROUPS:
        raise ValueError(f"{pattern!r}: no such groups: {', '.join(sorted(strange))}")
    if missing := needed - groups:
        raise ValueError(f"{pattern!r} lacks the group {', '.join(sorted(missing))}")


def _check_format(time_format: str) -> None:
    try:
        again = datetime.strptime(_SOME_INSTANT.strftime(time_format), time_format)  # noqa: DTZ007 - as above
    except ValueError as error:
        raise ValueError(f"the time format {time_format!r} cannot be read back") from error
    if again != _SOME_INSTANT:
        raise ValueError(f"the time format {time_format!r} does not say the whole time")
