"""Everything between the broker and the stores, opened and run together."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from hub import metrics
from hub.broker.opening import Broker, Secure, open_broker
from hub.certificates.serving import ServerCertificate
from hub.commands.dispatching import Dispatcher
from hub.config import HubConfig, IngestSection, Secrets
from hub.device_models.live import LiveModels
from hub.gateways.presence import Presence
from hub.gateways.registry import Registry
from hub.ingest import repository
from hub.ingest.backlog import Bounds
from hub.ingest.contract import Consumer
from hub.ingest.limiting import DeviceLimit
from hub.ingest.pipeline import Ingest
from hub.ingest.recording import Recorder
from hub.ingest.sequences import tidy
from hub.media.store import MediaStore
from hub.storage.database import Database
from hub.stream.stream import Stream
from hub.telemetry.contract import TelemetryStore
from protocol import logs
from protocol.clock import Clock
from protocol.errors import StoreUnavailableError, UplinkUnavailableError

log = logs.get(__name__)

REGISTRY_EVERY_S: Final = 2.0
"""A gateway revoked in another process loses its connection within this time."""

SWEPT_EVERY_S: Final = 10.0
SIGHTINGS_EVERY_S: Final = 1.0
TIDIED_EVERY_S: Final = 60.0
PRUNED_EVERY_S: Final = 600.0
_SETTLED: Final = timedelta(seconds=5)
_SILENT: Final = timedelta(seconds=200)
"""Gateways say their state once a minute; after three that are missing a connection is believed to be lost."""

_ENROLMENTS_TIDIED: Final = 1_000
_LETTERS_BYTES: Final = 1024 * 1024 * 1024
"""A gateway that sends rubbish for ever must not fill the disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """The opened parts of ingest. `run` works until cancelled."""

    config: HubConfig
    clock: Clock
    database: Database
    registry: Registry
    broker: Broker
    ingest: Ingest
    recorder: Recorder
    dispatcher: Dispatcher
    presence: Presence
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Hear gateways, commit, acknowledge, send commands, and keep the tables in order."""
        await self.broker.link.listen(self.ingest.take)
        self.ready.set()
        async with asyncio.TaskGroup() as parts:
            parts.create_task(self.ingest.run(), name="ingest")
            parts.create_task(self.dispatcher.run(), name="commands")
            parts.create_task(self._every(REGISTRY_EVERY_S, self.enforce), name="registry")
            parts.create_task(self._every(SWEPT_EVERY_S, self.sweep), name="presence")
            parts.create_task(self._every(SIGHTINGS_EVERY_S, self.recorder.write_sightings), name="sightings")
            parts.create_task(self._every(TIDIED_EVERY_S, self.tidy), name="sequences")
            parts.create_task(self._every(PRUNED_EVERY_S, self.prune), name="pruning")

    async def enforce(self) -> None:
        """Learn which gateways were added or revoked, and cut the connections of those that lost their right."""
        for gateway in await self.registry.refresh():
            if self.broker.door is not None:
                await self.broker.door.expel(gateway)
            self.registry.was_cut(gateway)

    async def sweep(self) -> None:
        """Correct who is online by what the broker knows; where it cannot be asked, by who has fallen silent."""
        asked_at = self.clock.now()
        if self.broker.door is None:
            async with self.database.write() as session:
                await self.presence.sweep_silent(session, asked_at - _SILENT)
            return
        connected = await self.broker.door.connected()
        async with self.database.write() as session:
            await self.presence.sweep(session, connected, asked_at - _SETTLED)

    async def tidy(self) -> None:
        """Join runs of sequence numbers, and count what is missing."""
        async with self.database.write() as session:
            missing = await tidy(session, _ENROLMENTS_TIDIED)
        self.recorder.runs_were_joined()
        metrics.MISSING_BATCHES.set(missing)

    async def prune(self) -> None:
        """Forget batch ids and dead letters that are older than is kept."""
        now, kept = self.clock.now(), self.config.retention
        async with self.database.write() as session:
            await repository.forget_taken(session, now - timedelta(days=kept.batches_days))
            letters = await repository.forget_letters(
                session, now - timedelta(days=kept.dead_letters_days), _LETTERS_BYTES
            )
        if letters:
            log.info("dead_letters_forgotten", letters=letters)

    @staticmethod
    async def _every(seconds: float, act: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await act()
            except (StoreUnavailableError, UplinkUnavailableError) as error:
                log.warning("upkeep_waits", act=act.__name__, reason=str(error))


@asynccontextmanager
async def open_intake(
    config: HubConfig,
    secrets: Secrets,
    *,
    clock: Clock,
    database: Database,
    telemetry: TelemetryStore,
    media: MediaStore,
    stream: Stream,
    consumers: Sequence[Consumer],
    models: LiveModels,
    server: ServerCertificate | None = None,
) -> AsyncIterator[Intake]:
    """Open the broker and what stands behind it. `consumers` run in this order in each group's transaction.

    With `server` the embedded broker also listens by TLS, for gateways that have a certificate.

    Raises ConfigurationError or UplinkUnavailableError when the broker cannot be opened.
    """
    registry = Registry(database, clock)
    await registry.refresh()
    password = secrets.broker_password.get_secret_value()
    folder = config.data.absolute() / "broker"
    secure = _secure(config, server, registry) if server is not None else None
    async with open_broker(config.broker, password, folder, registry.admits, clock, secure) as broker:
        dispatcher = Dispatcher(database, broker.link, clock)
        recorder = Recorder(database, stream, clock, consumers)
        ingest = Ingest(
            link=broker.link,
            registry=registry,
            telemetry=telemetry,
            media=media,
            recorder=recorder,
            dispatcher=dispatcher,
            limit=DeviceLimit(database, config.ingest.devices_per_gateway),
            models=models,
            clock=clock,
            bounds=bounds(config.ingest),
        )
        yield Intake(
            config=config,
            clock=clock,
            database=database,
            registry=registry,
            broker=broker,
            ingest=ingest,
            recorder=recorder,
            dispatcher=dispatcher,
            presence=Presence(stream),
        )


def _secure(config: HubConfig, server: ServerCertificate, registry: Registry) -> Secure:
    tls = config.tls
    port = tls.broker_port(config.broker.mqtt_port)
    return Secure(tls.host, port, tls.all_names[0], server, registry.admits_certificate)


def bounds(settings: IngestSection) -> Bounds:
    """Return the bounds that the settings ask for."""
    return Bounds(
        queue_messages=settings.queue_batches,
        group_messages=settings.commit_batches,
        linger_s=settings.commit_every_ms / 1000,
    )
