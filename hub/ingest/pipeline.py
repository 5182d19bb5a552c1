"""From the broker to the stores and back: read, commit telemetry, commit everything else, and only then acknowledge.

Two commits overlap: while one group is in the relational store, the next is in the telemetry store, and a third is
being read and gathers. Nothing is acknowledged before both stores have it; whatever is dropped, for want of room or by
a crash at any point, is sent again by its gateway, and each store knows what it has already.
"""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Final
from uuid import UUID

from hub import metrics
from hub.broker.contract import BrokerLink
from hub.commands.dispatching import Dispatcher
from hub.device_models.live import LiveModels
from hub.gateways.registry import Registry
from hub.ingest.acknowledging import acknowledge
from hub.ingest.backlog import Backlog, Bounds
from hub.ingest.deliveries import Delivery
from hub.ingest.isolating import isolated
from hub.ingest.limiting import DeviceLimit
from hub.ingest.persistence import Persistence
from hub.ingest.reading import read, sender
from hub.ingest.recording import Recorder
from hub.ingest.storing import stored
from hub.ingest.turns import turns
from hub.media.store import MediaStore
from hub.telemetry.contract import TelemetryStore
from protocol import logs
from protocol.clock import Clock
from protocol.errors import StoreUnavailableError

log = logs.get(__name__)

_STRANGERS: Final = 1_000


class Ingest:
    """The hub's intake. `take` is given to the broker's link, `run` does the rest."""

    def __init__(
        self,
        *,
        link: BrokerLink,
        registry: Registry,
        telemetry: TelemetryStore,
        media: MediaStore,
        recorder: Recorder,
        dispatcher: Dispatcher,
        limit: DeviceLimit,
        models: LiveModels,
        clock: Clock,
        bounds: Bounds | None = None,
    ) -> None:
        self._link = link
        self._registry = registry
        self._store_some = partial(stored, telemetry, media)
        self._recorder = recorder
        self._dispatcher = dispatcher
        self._limit = limit
        self._models = models
        self._clock = clock
        self._backlog = Backlog(bounds or Bounds())
        self._stored: asyncio.Queue[list[Delivery]] = asyncio.Queue(maxsize=1)
        self._waits = (Persistence("telemetry and media"), Persistence("relational"))
        self._strangers: set[str] = set()
        self._dropped = 0

    def take(self, topic: str, payload: bytes) -> None:
        """Read one message and queue it. Without room it is dropped: what is not acknowledged comes again."""
        gateway = sender(topic)
        if gateway is None or not self._registry.knows(gateway):
            self._turn_away(gateway, topic)
        elif self._backlog.has_room(len(payload)):
            self._backlog.put(read(topic, payload, self._clock.now()))
        else:
            metrics.INGEST_DROPPED.labels("full").inc()
            if self._dropped == 0:
                log.warning("ingest_full", waiting=len(self._backlog))
            self._dropped += 1

    async def run(self) -> None:
        """Commit and acknowledge until cancelled."""
        async with asyncio.TaskGroup() as parts:
            parts.create_task(self._store(), name="ingest-telemetry")
            parts.create_task(self._record(), name="ingest-relational")

    async def check(self) -> None:
        """Raise StoreUnavailableError while a store is away."""
        for wait in self._waits:
            if wait.reason is not None:
                raise StoreUnavailableError(wait.reason)

    def _turn_away(self, gateway: str | None, topic: str) -> None:
        """Leave a message of an unregistered gateway where it is: its box keeps it until somebody registers it."""
        metrics.INGEST_DROPPED.labels("unregistered").inc()
        who = gateway or topic[:64]
        if who not in self._strangers and len(self._strangers) < _STRANGERS:
            self._strangers.add(who)
            log.warning("unregistered_gateway", gateway=gateway, topic=topic[:200])

    async def _store(self) -> None:
        while True:
            group = _distinct(await self._backlog.group())
            if self._dropped:
                log.info("ingest_has_room", dropped=self._dropped)
                self._dropped = 0
            metrics.INGEST_GROUP.observe(len(group))
            group = await self._waits[1].until_done(partial(self._limit.within, group))
            group = await self._waits[1].until_done(partial(self._models.conform, group))
            parts = await self._waits[0].until_done(partial(isolated, group, self._store_some))
            await self._stored.put([each for part in parts for each in part])

    async def _record(self) -> None:
        while True:
            for some in turns(await self._stored.get()):
                await self._waits[1].until_done(partial(isolated, some, self._recorded))

    async def _recorded(self, deliveries: Sequence[Delivery]) -> None:
        """Commit the rest, then acknowledge."""
        recorded = await self._recorder.record(deliveries)
        now = self._clock.now()
        await acknowledge(self._link, deliveries, now)
        metrics.DEAD_LETTERS.inc(recorded.letters)
        for each in deliveries:
            metrics.INGEST_SECONDS.observe((now - each.received_at).total_seconds())
        if recorded.back:
            self._dispatcher.wake(recorded.back)


def _distinct(group: list[Delivery]) -> list[Delivery]:
    """Drop repetitions of a batch within one group: the first stands for all."""
    seen: set[tuple[str, UUID, UUID]] = set()
    distinct = []
    for each in group:
        if each.arrival is not None:
            key = (each.gateway, each.arrival.batch.epoch, each.arrival.batch.id)
            if key in seen:
                continue
            seen.add(key)
        distinct.append(each)
    return distinct
