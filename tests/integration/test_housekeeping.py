"""The stores do not grow for ever: what is old goes, what is new stays."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID

from sqlalchemy import func, select

from hub import housekeeping
from hub.accounts.issuing import open_session
from hub.accounts.model import SessionRow
from hub.accounts.scopes import Scope
from hub.api.model import CreationRow
from hub.app import create_app
from hub.jobs.model import Job
from hub.parts import Parts
from hub.storage.base import Base
from hub.storage.database import Database
from hub.stream.model import StreamEventRow
from hub.telemetry.contract import Arrival
from protocol.clock import ManualClock
from protocol.messages import Batch, Reading
from tests.serving import Api, new_key, opened_parts

KEPT = (SessionRow, CreationRow, StreamEventRow)


async def make_one_of_each(parts: Parts, n: int) -> None:
    """Make a session, an answered creation, a live update and a reading."""
    key = await new_key(parts, Scope.ADMIN)
    caller = await parts.keys.caller_with_key(key)
    assert caller
    async with parts.database.write() as session:
        open_session(session, parts.clock, caller.key_id)
        await parts.stream.append(session, "alert", {"n": n})
    async with Api(create_app(parts), key) as api:
        body = {"name": "n", "scopes": ["telemetry:read"]}
        await api.post("/api/v1/api-keys", json=body, headers={"Idempotency-Key": "k"})
    now = parts.clock.now()
    record = Reading(device="fridge-1", at=now, values={"temperature_c": float(n)})
    batch = Batch(id=UUID(int=n), gateway="g1", epoch=UUID(int=1), seq=n, sent_at=now, records=(record,))
    await parts.telemetry.commit([Arrival(batch, now)])


async def counted(parts: Parts) -> dict[type[Base], int]:
    async with parts.database.read() as session:
        return {table: await session.scalar(select(func.count()).select_from(table)) or 0 for table in KEPT}


async def test_what_is_old_goes_and_what_is_new_stays(database: Database, tmp_path: Path) -> None:
    clock = ManualClock()
    async with opened_parts(database, tmp_path, clock) as parts:
        await make_one_of_each(parts, 1)
        clock.advance(timedelta(days=401).total_seconds())
        await make_one_of_each(parts, 2)
        assert set((await counted(parts)).values()) == {2}
        handlers = housekeeping.handlers(parts)
        assert set(handlers) == {periodic.kind for periodic in housekeeping.PERIODICS}
        for kind, handler in handlers.items():
            await handler(Job(kind=kind, payload={}))
            await handler(Job(kind=kind, payload={}))
        assert set((await counted(parts)).values()) == {1}
        kept = parts.telemetry.export(None, None, clock.now() - timedelta(days=999), clock.now() + timedelta(days=1))
        rows = [row async for batch in kept for row in batch.to_pylist()]
        assert [row["number"] for row in rows] == [2.0]
