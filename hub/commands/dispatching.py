"""Sending commands until they are answered or too late. The device side executes each at most once, by its id."""

import asyncio
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec

from hub.broker.contract import BrokerLink
from hub.commands import repository
from hub.commands.model import IssuedCommand
from hub.storage.database import Database
from protocol import codec, logs, topics
from protocol.clock import Clock
from protocol.errors import StoreUnavailableError, UplinkUnavailableError
from protocol.messages import Command

log = logs.get(__name__)

RESENT_AFTER_S: Final = (2.0, 5.0, 10.0, 30.0)
LOOK_EVERY_S: Final = 1.0
"""Another process may have issued a command, and nothing wakes this one for it."""

_AT_ONCE: Final = 200


class Dispatcher:
    """Sends what is pending to the gateways that are online."""

    def __init__(self, database: Database, link: BrokerLink, clock: Clock) -> None:
        self._database = database
        self._link = link
        self._clock = clock
        self._awake = asyncio.Event()
        self._back: set[str] = set()

    def wake(self, back: Collection[str] = ()) -> None:
        """Look for commands now; `back` are gateways that just connected and get theirs again at once."""
        self._back.update(back)
        self._awake.set()

    async def run(self) -> None:
        """Send and expire until cancelled."""
        while True:
            try:
                await self.dispatch()
            except StoreUnavailableError as error:
                log.warning("commands_wait_for_store", reason=str(error))
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._awake.wait()
            except TimeoutError:
                continue

    async def dispatch(self) -> None:
        """Send every command that is due, and end those whose time is over."""
        self._awake.clear()
        back, self._back = self._back, set()
        now = self._clock.now()
        async with self._database.read() as session:
            pending = await repository.to_send(session, _AT_ONCE)
            late = await repository.any_late(session, now)
        due = [each for each in pending if each.expires_at > now and (each.gateway in back or _is_due(each, now))]
        sent: list[UUID] = []
        try:
            for each in due:
                await self._link.publish(topics.command(each.gateway), codec.encode(_message(each)))
                sent.append(each.id)
        except UplinkUnavailableError as error:
            log.info("commands_wait_for_broker", reason=str(error))
        if sent or late:
            async with self._database.write() as session:
                await repository.note_sent(session, sent, now)
                expired = await repository.expire(session, now)
            for command_id in expired:
                log.info("command_expired", command=str(command_id))


def _is_due(command: IssuedCommand, now: datetime) -> bool:
    if command.sent_at is None:
        return True
    wait = RESENT_AFTER_S[min(command.times_sent, len(RESENT_AFTER_S)) - 1]
    # Sent in the future is sent before the clock was set back.
    return not timedelta(0) <= now - command.sent_at < timedelta(seconds=wait)


def _message(command: IssuedCommand) -> Command:
    return Command(
        id=command.id,
        device=command.device,
        name=command.name,
        args=msgspec.to_builtins(command.args),
        expires_at=command.expires_at,
    )
