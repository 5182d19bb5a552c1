"""What a gateway says of itself: online or gone, its devices, its outbox. Late words change nothing.

A last will is written when the connection is opened, so it is older than what the same connection said later. It
counts, unless the gateway was heard to be back just before: a broker may hand out the will of a connection that was
replaced after the first word of the one that replaced it. What is wrongly believed then, the sweep puts right.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from hub.devices import repository as devices
from hub.devices.model import Device
from hub.devices.repository import DeviceKey
from hub.gateways import repository
from hub.gateways.model import Gateway
from hub.stream.stream import Stream
from protocol import logs
from protocol.codec import in_utc
from protocol.messages import State

log = logs.get(__name__)

JUST_BACK: Final = timedelta(seconds=2)
REORDERED_WITHIN: Final = timedelta(seconds=60)
"""States of one gateway are out of order by less than this. An older one that comes later is from a clock set back."""

CLOCK_IS_OFF: Final = timedelta(seconds=60)
SETTLING: Final = timedelta(seconds=30)


class Word(Enum):
    """What a state is taken for."""

    NEWS = auto()
    WILL = auto()
    STALE = auto()


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a gateway when a state comes in. Times: the gateway's `at`, the hub's `heard_at`."""

    epoch: UUID | None
    online: bool
    at: datetime | None
    heard_at: datetime | None


@dataclass(frozen=True, slots=True)
class Said:
    """A state with the time of its receipt."""

    state: State
    received_at: datetime


def judged(known: Known, said: Said) -> Word:
    """Tell news from what is late."""
    state = said.state
    if known.at is None or known.heard_at is None or state.at > known.at:
        return Word.NEWS
    since_heard = said.received_at - known.heard_at
    if since_heard < timedelta(0):  # the hub's own clock was set back: nothing can be told from it
        since_heard = timedelta.max
    if not state.online:
        other_enrolment = known.epoch is not None and state.epoch != known.epoch
        return Word.STALE if other_enrolment or since_heard < JUST_BACK else Word.WILL
    same = state.at == known.at and not known.online
    return Word.NEWS if same or since_heard >= REORDERED_WITHIN else Word.STALE


class Presence:
    """Applies states to the tables of gateways and devices."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    async def apply(self, session: AsyncSession, said: Sequence[Said]) -> frozenset[str]:
        """Apply states in the order of receipt; return the gateways that came online or said so again."""
        if not said:
            return frozenset()
        rows = await repository.among(session, {each.state.gateway for each in said})
        back: set[str] = set()
        for each in said:
            row = rows.get(each.state.gateway)
            if row is None:
                continue
            word = judged(Known(row.epoch, row.online, row.state_at, row.heard_at), each)
            if word is Word.STALE:
                log.info("stale_state_ignored", gateway=row.gateway, at=str(each.state.at))
                continue
            was_online = row.online
            _update(row, each, word)
            if word is Word.NEWS:
                await self._devices(session, each)
            if row.online:
                back.add(row.gateway)
            if row.online != was_online:
                await self._tell(session, row)
        return frozenset(back)

    async def sweep(self, session: AsyncSession, connected: Collection[str], settled_before: datetime) -> None:
        """Correct what is believed by what the broker knows: who has no connection is offline.

        Gateways heard within SETTLING after `settled_before` are left: they may have connected after the broker was
        asked. Heard later than that is heard before the hub's clock was set back.
        """
        for row in await repository.online(session):
            settling = row.heard_at is not None and settled_before <= row.heard_at <= settled_before + SETTLING
            if row.gateway not in connected and not settling:
                row.online = False
                await self._tell(session, row)

    async def sweep_silent(self, session: AsyncSession, since: datetime) -> None:
        """Without a broker that can be asked: who has said nothing since then is offline."""
        for row in await repository.online(session):
            if max(row.heard_at or since, row.last_seen_at or since) <= since:
                row.online = False
                await self._tell(session, row)

    async def _devices(self, session: AsyncSession, said: Said) -> None:
        gateway = said.state.gateway
        keys = {DeviceKey(gateway, each.device): said.received_at for each in said.state.devices}
        if not keys:
            return
        known = await devices.among(session, list(keys))
        new = {key: at for key, at in keys.items() if key not in known}
        if new:
            await devices.add_new(session, new, said.received_at)
            known |= await devices.among(session, list(new))
        for status in said.state.devices:
            row = known[DeviceKey(gateway, status.device)]
            changed = (row.driver, row.status) != (status.driver, status.status.value)
            row.driver, row.status, row.detail = status.driver, status.status.value, status.detail
            row.status_since = in_utc(status.since)
            if changed or DeviceKey(gateway, status.device) in new:
                await self._stream.append(session, "device", _device(row))

    async def _tell(self, session: AsyncSession, row: Gateway) -> None:
        status = "online" if row.online else "offline"
        log.info("gateway_status", gateway=row.gateway, status=status)
        await self._stream.append(session, "gateway", {"gateway": row.gateway, "status": status})


def _update(row: Gateway, said: Said, word: Word) -> None:
    state = said.state
    row.online = state.online
    if word is Word.WILL:
        return
    row.epoch = state.epoch
    row.state_at = in_utc(state.at)
    row.heard_at = said.received_at
    row.agent, row.config = state.agent, state.config
    if state.online:
        row.last_seen_at = said.received_at
        offset = said.received_at - state.at
        row.clock_behind_s = offset.total_seconds() if abs(offset) > CLOCK_IS_OFF else None
    if state.outbox is not None:
        outbox: dict[str, Any] = msgspec.to_builtins(state.outbox)
        row.outbox = outbox


def _device(row: Device) -> dict[str, Any]:
    return {
        "gateway": row.gateway,
        "device": row.device,
        "driver": row.driver,
        "status": row.status,
        "detail": row.detail,
    }
