"""The backlog is bounded, one bad message costs only itself, and a store that is away is waited for."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import pytest

from hub.ingest.backlog import Backlog, Bounds
from hub.ingest.deliveries import Delivery
from hub.ingest.isolating import isolated
from hub.ingest.persistence import Persistence
from hub.ingest.reading import read
from protocol.errors import StoreUnavailableError

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)


def delivery(number: int) -> Delivery:
    payload = (
        b'{"id":"019abc00-0000-7000-8000-%012d","gateway":"g1","epoch":"3c1d3b39-9f7f-4ec7-9b0c-7ed9d3c5b0a1",'
        b'"seq":%d,"sent_at":"2026-11-24T08:00:00Z","records":[]}' % (number, number)
    )
    return read("diwang/v1/g1/up/batch", payload, NOW)


async def test_the_backlog_is_bounded_by_count_and_bytes_and_keeps_order() -> None:
    size = len(delivery(1).payload)
    backlog = Backlog(Bounds(queue_messages=5, queue_bytes=size * 4, group_messages=3, linger_s=0))
    taken = 0
    while backlog.has_room(size):
        taken += 1
        backlog.put(delivery(taken))
    assert taken == 4
    first, second = await backlog.group(), await backlog.group()
    assert [each.arrival.batch.seq for each in [*first, *second] if each.arrival] == [1, 2, 3, 4]
    assert (len(first), len(backlog)) == (3, 0)
    assert backlog.has_room(size)


async def test_a_waiting_commit_wakes_for_the_first_message() -> None:
    backlog = Backlog(Bounds(linger_s=0))
    waiting = asyncio.create_task(backlog.group())
    await asyncio.sleep(0)
    assert not waiting.done()
    backlog.put(delivery(1))
    assert len(await waiting) == 1


async def test_one_poisonous_message_costs_only_itself() -> None:
    tried: list[int] = []
    kept: list[Delivery] = []

    async def act(some: Sequence[Delivery]) -> None:
        tried.append(len(some))
        if any(each.arrival and each.arrival.batch.seq == 13 for each in some):
            raise OverflowError("thirteen")
        kept.extend(some)

    await isolated([delivery(number) for number in range(1, 65)], act)
    assert len(kept) == 64
    dead = [each for each in kept if not each.usable]
    assert [letter.reason for each in dead for letter in each.letters] == [
        "the hub cannot store it: OverflowError: thirteen"
    ]
    assert [each.refused for each in dead] == ["019abc00-0000-7000-8000-000000000013"]
    assert len(tried) <= 14


async def test_a_store_that_takes_not_even_dead_letters_stops_the_hub() -> None:
    async def act(_: Sequence[Delivery]) -> None:
        raise OverflowError("always")

    with pytest.raises(OverflowError):
        await isolated([delivery(1), delivery(2)], act)


async def test_a_store_that_is_away_is_waited_for_and_named() -> None:
    wait = Persistence("telemetry")
    answers: Iterator[int | Exception] = iter([StoreUnavailableError("no disk"), StoreUnavailableError("no disk"), 7])
    reasons: list[str | None] = []

    async def act() -> int:
        reasons.append(wait.reason)
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert await wait.until_done(act) == 7
    assert reasons == [None, "no disk", "no disk"]
    assert wait.reason is None
