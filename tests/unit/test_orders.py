"""Orders of the hub on a box: which wait for each other, and what a repeated one does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from drivers.contract import Answer, Report
from edge import commands
from edge.commands import Commands
from edge.hub_clock import HubClock
from edge.store import Store
from protocol.clock import SystemClock
from protocol.messages import Command, Outcome

CLOCK = SystemClock()


@dataclass
class Devices:
    """What was given to the devices, and when they may finish it. `press` keeps the order of its commands itself.

    One that is `resting` is given nothing.
    """

    given: list[str] = field(default_factory=list)
    heard: asyncio.Condition = field(default_factory=asyncio.Condition)
    finish: dict[str, asyncio.Event] = field(default_factory=dict)
    resting: set[str] = field(default_factory=set)

    async def obey(self, device: str, name: str, args: dict[str, Any], job: UUID) -> Answer:
        del args
        self.given.append(f"{device} {name}")
        async with self.heard:
            self.heard.notify_all()
        await self.finish.setdefault(name, asyncio.Event()).wait()
        return Answer({"job": str(job)})

    async def until_given(self, *orders: str) -> None:
        async with asyncio.timeout(20), self.heard:
            await self.heard.wait_for(lambda: sorted(self.given) == sorted(orders))


@asynccontextmanager
async def box(folder: Path) -> AsyncIterator[tuple[Commands, Devices]]:
    devices = Devices()

    async def keep(_: Report) -> None:
        raise AssertionError

    async with Store(folder / "o.db", commands.SCHEMA, CLOCK, group_s=0, ballast_bytes=4096) as store:
        orders = Commands(
            store,
            CLOCK,
            HubClock(CLOCK),
            obey=devices.obey,
            queues=lambda device: device == "press",
            holds=lambda device, _: device in devices.resting,
            orders={},
            keep=keep,
        )
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(orders.run())
            yield orders, devices
            running.cancel()


def order(device: str, name: str) -> Command:
    return Command(id=CLOCK.new_id(), device=device, name=name, expires_at=CLOCK.now() + timedelta(minutes=5))


async def test_a_device_gets_its_commands_one_by_one_and_one_with_jobs_all_at_once(tmp_path: Path) -> None:
    async with box(tmp_path) as (orders, devices):
        for device in ("camera", "press"):
            for name in ("first", "second"):
                orders.offer(order(device, name))
        await devices.until_given("camera first", "press first", "press second")
        devices.finish["first"].set()
        await devices.until_given("camera first", "camera second", "press first", "press second")
        devices.finish["second"].set()
        assert {(await orders.next_reply()).result for _ in range(4)} == {Outcome.DONE}


async def test_an_order_that_is_repeated_while_it_is_in_hand_is_begun_and_answered_once(tmp_path: Path) -> None:
    async with box(tmp_path) as (orders, devices):
        long, other = order("press", "long"), order("press", "other")
        orders.offer(long)
        await devices.until_given("press long")
        orders.offer(long)
        orders.offer(other)
        await devices.until_given("press long", "press other")
        for finish in devices.finish.values():
            finish.set()
        replies = [await orders.next_reply() for _ in range(2)]
        assert {reply.id: reply.result for reply in replies} == {long.id: Outcome.DONE, other.id: Outcome.DONE}
        orders.offer(long)
        assert (await orders.next_reply()).data == {"job": str(long.id)}
        assert devices.given == ["press long", "press other"]


async def test_an_order_for_a_device_that_rests_is_left_to_the_hub_and_done_when_it_comes_again(tmp_path: Path) -> None:
    async with box(tmp_path) as (orders, devices):
        devices.resting.add("press")
        late, other = order("press", "late"), order("camera", "other")
        orders.offer(late)
        orders.offer(other)
        await devices.until_given("camera other")
        devices.resting.clear()
        orders.offer(late)
        await devices.until_given("camera other", "press late")
        for finish in devices.finish.values():
            finish.set()
        assert {(await orders.next_reply()).id for _ in range(2)} == {late.id, other.id}
