"""What several devices share: opened by the first, closed by the last, whatever happens in between."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.sharing import Shared
from protocol.errors import DeviceUnreachableError


class Bus:
    """Counts how often it is open; opening and closing take a turn of the loop."""

    def __init__(self) -> None:
        self.open = self.opened = 0
        self.fails = False
        self.closing = asyncio.Event()

    @asynccontextmanager
    async def opener(self, key: str) -> AsyncIterator[str]:
        await asyncio.sleep(0)
        if self.fails:
            raise DeviceUnreachableError("no bus")
        self.open += 1
        self.opened += 1
        assert self.open == 1
        try:
            yield key.upper()
        finally:
            self.closing.set()
            await asyncio.sleep(0)
            self.open -= 1


async def test_everybody_gets_the_same_and_the_last_closes_it() -> None:
    bus = Bus()
    shared = Shared(bus.opener)
    async with shared.borrowed("a") as one:
        async with shared.borrowed("a") as other:
            assert one is other
            assert (one, bus.opened) == ("A", 1)
        assert bus.open == 1
    assert (bus.open, shared._holdings) == (0, {})


async def test_a_failure_is_everybodys_own_and_the_next_tries_again() -> None:
    bus = Bus()
    shared, bus.fails = Shared(bus.opener), True
    for _ in range(2):
        with pytest.raises(DeviceUnreachableError):
            async with shared.borrowed("a"):
                pass
    bus.fails = False
    async with shared.borrowed("a"):
        assert bus.opened == 1


async def test_who_comes_while_it_closes_opens_it_anew() -> None:
    bus = Bus()
    shared = Shared(bus.opener)

    async def borrow() -> None:
        async with shared.borrowed("a"):
            assert bus.open == 1

    first = asyncio.create_task(borrow())
    await bus.closing.wait()
    await asyncio.gather(first, borrow())
    assert bus.opened == 2
    assert (bus.open, shared._holdings) == (0, {})


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8), st.booleans()), min_size=1, max_size=8))
def test_whoever_comes_goes_and_is_cancelled_it_is_open_once_and_closed_in_the_end(
    plans: list[tuple[int, int, bool]],
) -> None:
    async def run() -> None:
        bus = Bus()
        shared = Shared(bus.opener)

        async def borrow(before: int, during: int) -> None:
            for _ in range(before):
                await asyncio.sleep(0)
            async with shared.borrowed("a"):
                assert bus.open == 1
                for _ in range(during):
                    await asyncio.sleep(0)

        tasks = [asyncio.create_task(borrow(before, during)) for before, during, _ in plans]
        for task, (before, during, is_cancelled) in zip(tasks, plans, strict=True):
            for _ in range((before + during) // 2):
                await asyncio.sleep(0)
            if is_cancelled:
                task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(result is None or isinstance(result, asyncio.CancelledError) for result in results)
        assert (bus.open, shared._holdings) == (0, {})

    asyncio.run(run())
