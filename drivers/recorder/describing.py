"""From a file that was copied to what is known of it: what its name claims, times corrected, what a decoder says."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from drivers.footage import Clip
from drivers.recorder.copying import Copied
from drivers.recorder.media import Entry
from drivers.recorder.names import claims, sane, shown
from drivers.recorder.probing import Probed
from drivers.recorder.telling import iso, without_nothing
from drivers.recorder.unit_clock import UnitClock
from firmware_configs.recorders import Recorder

_LONGEST_CLIP: Final = timedelta(hours=24)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Times:
    """When a clip began and ended by the unit's clock, as UTC, and what says so: name, container or file."""

    began_at: datetime | None
    ended_at: datetime | None
    source: str


def describe(
    *,
    device: str,
    event: UUID,
    kept_at: datetime,
    medium: str,
    entry: Entry,
    profile: Recorder,
    copied: Copied,
    probed: Probed,
    clock: UnitClock,
    mark: str,
) -> Clip:
    """Return the note of a clip, with the data of its event."""
    claimed = claims(entry.name, profile)
    modified_at = unit_time(entry, profile)
    times = _times(claimed.began_at, modified_at, probed)
    began_at, ended_at = clock.corrected(times.began_at), clock.corrected(times.ended_at)
    facts: dict[str, Any] = without_nothing(
        (
            ("sha256", copied.sha256),
            ("sm3", copied.sm3),
            ("bytes", copied.bytes),
            ("file_name", shown(entry.name)),
            ("folder", "/".join(shown(part) for part in entry.path[:-1])),
            ("medium", medium),
            ("began_at", iso(began_at)),
            ("ended_at", iso(ended_at)),
            ("raw_began_at", iso(times.began_at)),
            ("raw_ended_at", iso(times.ended_at)),
            ("time_source", times.source),
            ("modified_at", iso(modified_at)),
            ("clock_offset_s", clock.offset_s),
            ("clock_trust", str(clock.trust)),
            ("claimed_unit", claimed.unit),
            ("claimed_officer", claimed.officer),
            ("claimed_sequence", claimed.sequence),
            ("playable", probed.playable),
            ("reason", probed.reason or None),
            ("codec", probed.codec or None),
            ("width", probed.width or None),
            ("height", probed.height or None),
            ("duration_s", probed.duration_s),
        )
    )
    return Clip(
        sha256=copied.sha256,
        sm3=copied.sm3,
        bytes=copied.bytes,
        device=device,
        file_name=shown(entry.name),
        kept_at=kept_at,
        event=event,
        began_at=began_at,
        ended_at=ended_at,
        facts=facts,
        marks=(mark,),
    )


def unit_time(entry: Entry, profile: Recorder) -> datetime:
    """Return when a file was changed by the unit's clock, as UTC."""
    at = sane(entry.modified_at) or _EPOCH
    return at - timedelta(hours=profile.utc_offset_h if profile.modified_is_local else 0)


def unit_of(clip: Clip) -> str:
    """Return whose footage a clip is, as far as anybody says: the unit of its name, else the medium it came from."""
    return str(clip.facts.get("claimed_unit") or clip.facts.get("medium", ""))


def _times(named: datetime | None, modified_at: datetime, probed: Probed) -> Times:
    lasted = None
    if probed.duration_s is not None and probed.duration_s <= _LONGEST_CLIP.total_seconds():
        lasted = timedelta(seconds=probed.duration_s)
    began_at, source = (named, "name") if named is not None else (sane(probed.created_at), "container")
    if began_at is None:
        # The file was last changed when the recording ended.
        return Times(modified_at - lasted if lasted else None, modified_at, "file")
    if lasted is not None:
        return Times(began_at, began_at + lasted, source)
    plausible = timedelta(0) <= modified_at - began_at <= _LONGEST_CLIP
    return Times(began_at, modified_at if plausible else None, source)
