"""Who lost the right to be connected is known until the connection is cut, whatever goes wrong on the way."""

from datetime import timedelta

from sqlalchemy import update

from hub.gateways.model import Gateway
from hub.gateways.registry import Registry, digest_of
from hub.storage.database import Database
from protocol.clock import ManualClock


async def _register(database: Database, clock: ManualClock) -> Registry:
    async with database.write() as session:
        now = clock.now()
        session.add(Gateway(gateway="g1", password_digest=digest_of("secret"), credentials_at=now, created_at=now))
    registry = Registry(database, clock)
    assert await registry.refresh() == frozenset()
    assert registry.knows("g1")
    return registry


async def _revoke(database: Database, clock: ManualClock, *, clock_behind: timedelta = timedelta(0)) -> None:
    async with database.write() as session:
        await session.execute(update(Gateway).values(revoked_at=clock.now() - clock_behind))


async def test_a_connection_that_could_not_be_cut_is_asked_for_again(database: Database) -> None:
    clock = ManualClock()
    registry = await _register(database, clock)
    await _revoke(database, clock)
    for _ in range(3):  # the broker did not answer
        assert await registry.refresh() == {"g1"}
    assert not registry.knows("g1")
    registry.was_cut("g1")
    assert await registry.refresh() == {"g1"}, "one that was being let in meanwhile is there only now"
    registry.was_cut("g1")
    assert await registry.refresh() == frozenset()
    assert not await registry.admits("g1", "secret")


async def test_a_process_whose_clock_is_behind_can_revoke(database: Database) -> None:
    clock = ManualClock()
    registry = await _register(database, clock)
    clock.advance(24 * 3_600)
    await registry.refresh()
    await _revoke(database, clock, clock_behind=timedelta(minutes=10))
    assert await registry.refresh() == {"g1"}
