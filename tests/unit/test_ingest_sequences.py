"""Runs and gaps of sequence numbers, whatever order the batches come in."""

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import pairwise
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from hub.ingest import repository
from hub.ingest.repository import Enrolment, Run
from hub.ingest.sequences import Sequences, gaps, merged, runs, tidy
from hub.storage.database import Database
from hub.telemetry.contract import Arrival
from protocol.clock import ManualClock
from protocol.messages import Batch

NUMBERS = st.lists(st.integers(1, 60), max_size=60)
EPOCH = UUID(int=5)
CLOCK = ManualClock()


def spelled(several: Iterable[Run]) -> set[int]:
    return {number for run in several for number in range(run.first, run.last + 1)}


@given(NUMBERS, NUMBERS)
def test_runs_and_gaps_make_up_all_numbers(first: list[int], second: list[int]) -> None:
    both = merged([*runs(first), *runs(second)])
    assert spelled(both) == set(first) | set(second)
    assert all(left.last + 1 < right.first for left, right in pairwise(both))
    missing = spelled(gaps(both))
    assert not missing & spelled(both)
    assert missing | spelled(both) == set(range(1, max([0, *first, *second]) + 1))


def arrivals(numbers: Iterable[int]) -> list[Arrival]:
    now = datetime(2026, 11, 24, tzinfo=UTC)
    return [
        Arrival(
            Batch(id=CLOCK.new_id(), gateway="g1", epoch=EPOCH, seq=number, sent_at=now, records=()),
            now,
        )
        for number in numbers
    ]


async def test_numbers_in_order_cost_one_row_and_scattered_ones_are_joined(database: Database) -> None:
    enrolment = Enrolment("g1", EPOCH)

    async def note(sequences: Sequences, numbers: Iterable[int]) -> None:
        async with database.write() as session:
            await sequences.note(session, arrivals(numbers))
        sequences.settled()

    async def stored() -> list[Run]:
        async with database.read() as session:
            return await repository.runs_of(session, enrolment)

    sequences = Sequences()
    for start in (1, 4, 7):
        await note(sequences, range(start, start + 3))
    assert await stored() == [Run(1, 9)]
    await note(sequences, [5, 9])
    assert await stored() == [Run(1, 9)]
    await note(sequences, [11, 12, 15])
    await note(Sequences(), [16, 10])
    assert gaps(await stored()) == [Run(13, 14)]
    async with database.write() as session:
        assert await tidy(session, 10) == 2
    assert await stored() == [Run(1, 12), Run(15, 16)]
    sequences.forget()
    await note(sequences, [13, 14])
    async with database.write() as session:
        assert await tidy(session, 10) == 0
    assert await stored() == [Run(1, 16)]


async def test_a_beginning_that_never_came_is_missing(database: Database) -> None:
    async with database.write() as session:
        await Sequences().note(session, arrivals([4, 5]))
    async with database.write() as session:
        assert await tidy(session, 10) == 3


async def test_a_transaction_that_fails_moves_nothing(database: Database) -> None:
    sequences = Sequences()
    async with database.write() as session:
        await sequences.note(session, arrivals([1, 2]))
    sequences.settled()
    async with database.write() as session:
        await sequences.note(session, arrivals([3, 4]))
        await session.rollback()
    async with database.write() as session:
        await sequences.note(session, arrivals([3]))
    sequences.settled()
    async with database.read() as session:
        assert await repository.runs_of(session, Enrolment("g1", EPOCH)) == [Run(1, 3)]


async def test_the_numbers_of_a_replay_mean_nothing(database: Database) -> None:
    now = CLOCK.now()
    replay = Batch(id=CLOCK.new_id(), gateway="g1", epoch=UUID(int=0), seq=7, sent_at=now, records=())
    async with database.write() as session:
        await Sequences().note(session, [Arrival(replay, now)])
    async with database.read() as session:
        assert await repository.runs_of(session, Enrolment("g1", UUID(int=0))) == []
