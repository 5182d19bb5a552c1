"""What recorders tell of their clips before the bytes come: what to expect, and what is missing."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from hub.footage import repository
from hub.footage.pairing import ask_for_pairing
from hub.footage.receiving import new_row
from hub.telemetry.contract import Arrival
from protocol import logs
from protocol.clock import Clock
from protocol.codec import in_utc
from protocol.messages import Event

log = logs.get(__name__)

CLIP: Final = "recorder.clip"
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_YEARS: Final = range(1970, 9998)
_LONGEST_NAME: Final = 255
_LONGEST_NUMBER: Final = 64


class FootageHearing:
    """A consumer of ingest: a `recorder.clip` event becomes a clip that is expected, or adds to one that is there."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def take(self, session: AsyncSession, arrivals: Sequence[Arrival]) -> None:
        for arrival in arrivals:
            for record in arrival.batch.records:
                if isinstance(record, Event) and record.type == CLIP:
                    await self._expect(session, arrival.batch.gateway, record)

    async def _expect(self, session: AsyncSession, gateway: str, event: Event) -> None:
        said = event.data
        sha256 = said.get("sha256")
        if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
            log.warning("clip_without_hash", gateway=gateway, device=event.device, happening=str(event.id))
            return
        row = await repository.named_or_new(session, new_row(self._clock.new_id(), sha256, in_utc(event.at)))
        if row.facts:
            return
        row.gateway, row.device = row.gateway or gateway, row.device or event.device
        row.facts = dict(said)
        row.name = row.name or line(said.get("file_name"), _LONGEST_NAME)
        row.claimed_officer = line(said.get("claimed_officer"), _LONGEST_NUMBER)
        row.claimed_unit = line(said.get("claimed_unit"), _LONGEST_NUMBER)
        playable = said.get("playable")
        row.playable = playable if isinstance(playable, bool) else None
        began_at, ended_at = instant(said.get("began_at")), instant(said.get("ended_at"))
        if began_at is not None and ended_at is not None and began_at <= ended_at:
            row.began_at, row.ended_at, row.at = began_at, ended_at, began_at
        row.version += 1
        await session.flush()
        await ask_for_pairing(session, self._clock, row, "told")


def instant(value: object) -> datetime | None:
    """Read an instant of a year that can be stored, None for anything else."""
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
        return at.astimezone(UTC) if at is not None and at.tzinfo is not None and at.year in _YEARS else None
    except (ValueError, OverflowError):
        return None


def line(value: object, longest: int) -> str:
    """Return a text without what cannot stand in a line, cut to a length; empty for anything else."""
    return "".join(letter for letter in value if letter.isprintable())[:longest] if isinstance(value, str) else ""
