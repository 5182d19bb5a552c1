"""Orders from the hub: executed at most once, before they expire, and always answered.

An order is written down before it is begun. One that was begun and not finished when the box died is answered as
failed, never begun again: nobody knows how much of it happened. The hub repeats an order until it has the reply, so a
reply that was lost on its way is given again from what was written down.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, Final
from uuid import UUID

import apsw

from drivers.contract import Answer, Report
from edge.hub_clock import HubClock
from edge.store import Store
from protocol import codec, logs
from protocol.clock import Clock
from protocol.errors import DiwangError, StoreUnavailableError
from protocol.messages import Command, Outcome, Reply

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS command (place INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, reply BLOB);
"""
_WAITING_AT_MOST: Final = 64
_AT_ONCE: Final = 16
_LONGEST_S: Final = 300.0
_REMEMBERED: Final = 10_000  # by number, not by age: a clock that jumps must not make an order new

GatewayOrder = Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]
Obey = Callable[[str, str, dict[str, Any], UUID], Awaitable[Answer | None]]
Queues = Callable[[str], bool]
Holds = Callable[[str, str], bool]
Keep = Callable[[Report], Awaitable[None]]

log = logs.get(__name__)


class Commands:
    """The orders of this box.

    `obey` lets a device carry out a command: it returns None when there is no such device or it does not know the
    command, and raises DiwangError when it fails; `queues` tells whether a device takes commands while it is busy with
    others, and `holds` whether it must not begin a command now, which is left to the hub. `orders` are those that the
    gateway carries out itself, for a device or the whole box; `keep` takes what a command made a device say, and
    returns once that is on the disk.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        hub_clock: HubClock,
        *,
        obey: Obey,
        queues: Queues,
        holds: Holds,
        orders: Mapping[str, GatewayOrder],
        keep: Keep,
    ) -> None:
        self._store = store
        self._clock = clock
        self._hub_clock = hub_clock
        self._obey = obey
        self._queues = queues
        self._holds = holds
        self._orders = orders
        self._keep = keep
        self._waiting: asyncio.Queue[Command] = asyncio.Queue(_WAITING_AT_MOST)
        self._replies: asyncio.Queue[Reply] = asyncio.Queue()
        self._turns: dict[str | None, asyncio.Lock] = {}
        self._in_hand: set[UUID] = set()

    def offer(self, command: Command) -> None:
        """Take an order to be carried out. When too many wait it is left to the hub, which repeats it.

        The repetition of an order that is still in hand is left out: its reply is coming.
        """
        if command.id in self._in_hand:
            return
        try:
            self._waiting.put_nowait(command)
        except asyncio.QueueFull:
            log.warning("command_left_to_the_hub", command=str(command.id), name=command.name)
        else:
            self._in_hand.add(command.id)

    async def next_reply(self) -> Reply:
        """Wait for the next reply to be sent. One that is lost on its way comes again when the hub asks again."""
        return await self._replies.get()

    async def run(self) -> None:
        """Carry out orders until cancelled, several at once; one at a time per device, unless it queues them itself."""
        await self._store.run(self._close_interrupted)
        at_once = asyncio.Semaphore(_AT_ONCE)
        async with asyncio.TaskGroup() as parts:
            while True:
                await at_once.acquire()
                command = await self._waiting.get()
                task = parts.create_task(self._answer(command), name=f"command {command.name}")
                task.add_done_callback(lambda _: at_once.release())

    async def _answer(self, command: Command) -> None:
        try:
            async with self._turn(command):
                if command.device is not None and self._holds(command.device, command.name):
                    log.info("command_left_to_the_hub", command=str(command.id), name=command.name)
                    return
                reply = await self._begin(command) or await self._finish(await self._carry_out(command))
        except StoreUnavailableError as error:
            log.critical("command_not_written_down", command=str(command.id), reason=str(error))
            return
        finally:
            self._in_hand.discard(command.id)
        await self._replies.put(reply)

    def _turn(self, command: Command) -> AbstractAsyncContextManager[None]:
        if command.device is not None and self._queues(command.device):
            return nullcontext()
        return self._turns.setdefault(command.device, asyncio.Lock())

    async def _begin(self, command: Command) -> Reply | None:
        """Write the order down; return the reply instead if it was given before."""
        number = str(command.id)

        def begin(connection: apsw.Connection) -> bytes | None:
            row = connection.execute("SELECT reply FROM command WHERE id = ?", (number,)).fetchone()
            if row is None:
                connection.execute("INSERT INTO command (id) VALUES (?)", (number,))
                return None
            return row[0] or codec.encode(self._reply(command.id, Outcome.FAILED, {"reason": "interrupted"}))

        stored = await self._store.run(begin, grows=True)
        return None if stored is None else codec.decode_reply(stored)

    async def _carry_out(self, command: Command) -> Reply:
        left_s = (command.expires_at - self._hub_clock.now()).total_seconds()
        if left_s <= 0:
            return self._reply(command.id, Outcome.EXPIRED, {})
        facts = log.bind(command=str(command.id), name=command.name, device=command.device)
        try:
            async with asyncio.timeout(_LONGEST_S):
                result, data = await self._do(command)
        except TimeoutError:
            facts.error("command_took_too_long")
            return self._reply(command.id, Outcome.FAILED, {"reason": f"no end within {_LONGEST_S:.0f} s"})
        except DiwangError as error:
            return self._reply(command.id, Outcome.FAILED, {"reason": str(error)})
        facts.info("command_answered", result=result)
        return self._reply(command.id, result, data)

    async def _do(self, command: Command) -> tuple[Outcome, dict[str, Any]]:
        if order := self._orders.get(command.name):
            return Outcome.DONE, await order({"device": command.device, **command.args})
        answer = None
        if command.device:
            answer = await self._obey(command.device, command.name, command.args, command.id)
        if answer is None:
            return Outcome.UNSUPPORTED, {"reason": f"neither the gateway nor {command.device} knows {command.name!r}"}
        for report in answer.reports:
            await self._keep(report)
        return Outcome.DONE, answer.data

    async def _finish(self, reply: Reply) -> Reply:
        """Write the reply down; one that cannot be sent becomes one that says so."""
        try:
            encoded = codec.encode(reply)
        except (ValueError, TypeError) as error:
            reply = self._reply(reply.id, Outcome.FAILED, {"reason": f"the answer cannot be sent: {error}"})
            encoded = codec.encode(reply)

        def finish(connection: apsw.Connection) -> None:
            connection.execute("UPDATE command SET reply = ? WHERE id = ?", (encoded, str(reply.id)))
            connection.execute(
                "DELETE FROM command WHERE place <= (SELECT max(place) FROM command) - ?", (_REMEMBERED,)
            )

        await self._store.run(finish)
        return reply

    def _close_interrupted(self, connection: apsw.Connection) -> None:
        for (number,) in connection.execute("SELECT id FROM command WHERE reply IS NULL").fetchall():
            reply = self._reply(UUID(str(number)), Outcome.FAILED, {"reason": "interrupted"})
            connection.execute("UPDATE command SET reply = ? WHERE id = ?", (codec.encode(reply), number))
            log.warning("command_was_interrupted", command=number)

    def _reply(self, number: UUID, result: Outcome, data: dict[str, Any]) -> Reply:
        return Reply(id=number, result=result, data=data, at=self._clock.now())
