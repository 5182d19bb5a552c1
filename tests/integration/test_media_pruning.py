"""Pictures go when they are old and nothing refers to them; a crash on the way leaves nothing that stays for ever."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select

from hub import housekeeping
from hub.anomalies.model import Anomaly
from hub.events.model import EventMessage
from hub.jobs.model import Job
from hub.media import repository
from hub.media.model import MediaObject
from hub.parts import Parts
from hub.storage.database import Database
from protocol.clock import ManualClock
from protocol.errors import StoreUnavailableError
from tests.serving import opened_parts

OF_EVENT, OF_ANOMALY, OLD, NEW, EARLIER = (letter * 64 for letter in "abcde")


async def keep(parts: Parts, *names: str) -> None:
    for name in names:
        await parts.media.put(name, b"picture")
    async with parts.database.write() as session:
        rows = [repository.row(name, "image/jpeg", 7, "g1", parts.clock.now()) for name in names]
        await repository.add_new(session, rows)


async def refer(parts: Parts) -> None:
    now = parts.clock.now()
    place = {"gateway": "g1", "device": "cam-1", "type": "camera.dark", "severity": "minor", "data": {}}
    event = EventMessage(
        **place, event=UUID(int=1), state="began", at=now, received_at=now, images=[OF_EVENT, OF_EVENT], extra=None
    )
    times = {"began_at": now, "decided_at": now, "detected_at": now}
    anomaly = Anomaly(**place, **times, id=UUID(int=2), key="k", summary="", images={OF_ANOMALY: now.isoformat()})
    bare = Anomaly(**place, **times, id=UUID(int=3), key="k", summary="", images={})
    async with parts.database.write() as session:
        session.add_all([event, anomaly, bare])


async def kept(parts: Parts) -> tuple[set[str], set[str]]:
    """Return which pictures have a row, and which have bytes."""
    async with parts.database.read() as session:
        rows = set(await session.scalars(select(MediaObject.sha256)))
    names = (OF_EVENT, OF_ANOMALY, OLD, NEW, EARLIER)
    return rows, {name for name in names if await parts.media.get(name) is not None}


async def prune(parts: Parts) -> None:
    await housekeeping.handlers(parts)[housekeeping.PRUNE_MEDIA](Job(kind=housekeeping.PRUNE_MEDIA, payload={}))


async def test_only_what_is_old_and_not_referred_to_goes(database: Database, tmp_path: Path) -> None:
    clock = ManualClock()
    async with opened_parts(database, tmp_path, clock) as parts:
        await keep(parts, OF_EVENT, OF_ANOMALY, OLD)
        await refer(parts)
        clock.step(timedelta(days=parts.config.retention.media_days + 1).total_seconds())
        await keep(parts, NEW)
        await prune(parts)
        left = {OF_EVENT, OF_ANOMALY, NEW}
        assert await kept(parts) == (left, left)
        await prune(parts)
        assert await kept(parts) == (left, left)


async def test_what_a_crash_left_half_done_is_ended(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock()
    async with opened_parts(database, tmp_path, clock) as parts:
        await keep(parts, EARLIER, OLD)
        clock.step(timedelta(days=parts.config.retention.media_days + 1).total_seconds())
        remove = parts.media.remove

        async def away(sha256: str) -> None:
            if sha256 == OLD:
                await remove(sha256)
            else:
                raise StoreUnavailableError("full")

        with monkeypatch.context() as patched:
            patched.setattr(parts.media, "remove", away)
            with pytest.raises(StoreUnavailableError):
                await prune(parts)
        assert (await kept(parts))[0] == {EARLIER, OLD}
        await prune(parts)
        assert await kept(parts) == (set(), set())
