"""Where the hub is put together: each part opened once, in one readable order, and closed in the reverse one."""

import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from hub import housekeeping
from hub.accounts.keyring import KeyRing
from hub.anomalies import working as anomalies
from hub.anomalies.pipeline import AnomalyPipeline
from hub.certificates.issuing import Issuing
from hub.certificates.opening import Trust, open_trust
from hub.config import HubConfig, Secrets
from hub.configs import refreshing
from hub.custody import working as custody
from hub.custody.signing import open_signer
from hub.device_models.live import LiveModels
from hub.device_models.loading import load as load_device_models
from hub.footage import working as footage
from hub.footage.hearing import FootageHearing
from hub.footage.store import FootageFolder
from hub.gateways.callers import Callers
from hub.grids.live import LiveGrids
from hub.ingest.contract import Consumer
from hub.ingest.intake import Intake, open_intake
from hub.ingest.recording import Recorder
from hub.ingest.replaying import Replayer
from hub.jobs.periodic import Periodic, run_periodic
from hub.jobs.worker import Handler, Worker
from hub.kiosks import watching as kiosks
from hub.media.store import MediaFolder
from hub.notifications.delivering import Delivery, open_delivery
from hub.notifications.notifying import DELIVER
from hub.parts import Parts
from hub.readiness import Readiness
from hub.recalls import working as recalls
from hub.recalls.scanning import RecallWatch
from hub.setup.exchanging import new_token
from hub.storage import migrating
from hub.storage.database import Database, open_database
from hub.stream.stream import Stream
from hub.telemetry.opening import open_telemetry
from hub.uploads import working as uploads
from hub.uploads.folder import UploadFolder
from hub.uploads.uploading import Uploads
from protocol.clock import Clock

Run = Callable[[], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """The opened parts, and what has to run by name until the process stops."""

    parts: Parts
    running: dict[str, Run]
    door: ssl.SSLContext | None
    """How the HTTPS door speaks to boxes; None where it is shut."""

    setup_token: str | None = field(repr=False)
    """What the first administrator's key is exchanged for; None for a hub that has one, or serves no HTTP."""


@asynccontextmanager
async def open_hub(config: HubConfig, secrets: Secrets, clock: Clock, *, door_port: int = 0) -> AsyncIterator[Hub]:
    """Open every part that the roles of this process need, migrate the tables, and close all at the end.

    `door_port` is where this process listens for boxes by HTTPS.

    Raises ConfigurationError for settings that cannot work, StoreUnavailableError or UplinkUnavailableError for what is
    away at the start.
    """
    async with AsyncExitStack() as opened:
        database = await opened.enter_async_context(_open_database(config, secrets))
        await load_device_models(database, clock, config.data)
        telemetry = await opened.enter_async_context(open_telemetry(config, secrets))
        media = MediaFolder(config.media)
        footage_folder = FootageFolder(config.data / "footage")
        upload_folder = UploadFolder(config.data / "uploads", config.uploads.reserve_bytes)
        stream = Stream(database, clock)
        grids = LiveGrids(database, clock)
        consumers = _consumers(config, clock, stream, grids)
        models = LiveModels(database, clock)
        trust = open_trust(config, clock, door_port)
        intake: Intake | None = None
        if "ingest" in config.roles:
            intake = await opened.enter_async_context(
                open_intake(
                    config,
                    secrets,
                    clock=clock,
                    database=database,
                    telemetry=telemetry,
                    media=media,
                    stream=stream,
                    consumers=consumers,
                    models=models,
                    server=trust.server if trust is not None else None,
                )
            )
        parts = Parts(
            config=config,
            clock=clock,
            database=database,
            telemetry=telemetry,
            media=media,
            stream=stream,
            keys=KeyRing(database, clock),
            callers=Callers(database, clock),
            grids=grids,
            readiness=Readiness(),
            replayer=Replayer(
                telemetry, media, lambda: Recorder(database, stream, clock, consumers), clock, models.conform
            ),
            custody=open_signer(config.data),
            footage=footage_folder,
            uploads=Uploads(database=database, clock=clock, folder=upload_folder, store=footage_folder),
            broker_address=intake.broker.address if intake else config.broker.public_url or config.broker.url,
            issuing=_issuing(config, trust, intake),
            wake_commands=intake.dispatcher.wake if intake else _nobody,
        )
        delivery = await opened.enter_async_context(open_delivery(parts)) if "jobs" in config.roles else None
        setup_token = await _setup_token(config, database, clock)
        running = _running(parts, intake, delivery)
        if trust is not None:
            running["certificates"] = trust.server.run
        door = trust.server.context() if trust is not None else None
        yield Hub(parts=parts, running=running, door=door, setup_token=setup_token)


def _issuing(config: HubConfig, trust: Trust | None, intake: Intake | None) -> Issuing | None:
    if trust is None:
        return None
    broker = config.tls.broker_url or (intake.broker.secure_address if intake is not None else "")
    return Issuing(trust.authority, trust.door, broker, config.tls.life)


def _consumers(config: HubConfig, clock: Clock, stream: Stream, grids: LiveGrids) -> Sequence[Consumer]:
    """What is made of every batch that gateways report, in this order, in the transaction that stores it."""
    pipeline = AnomalyPipeline(clock=clock, stream=stream, grids=grids, settings=config.anomalies)
    return (pipeline, RecallWatch(clock, pipeline.recording), FootageHearing(clock))


def _running(parts: Parts, intake: Intake | None, delivery: Delivery | None) -> dict[str, Run]:
    """Return what runs in this process, and add to its readiness what that needs."""
    parts.readiness.add("database", parts.database.ping)
    parts.readiness.add("telemetry", parts.telemetry.ping)
    running: dict[str, Run] = {"stream": parts.stream.run, "keys": parts.keys.run}
    if intake is not None:
        parts.readiness.add("broker", intake.broker.link.ping)
        parts.readiness.add("ingest", intake.ingest.check)
        running["ingest"] = intake.run
    if delivery is not None:
        running["jobs"] = Worker(parts.database, parts.clock, _handlers(parts, delivery)).run
        running["periodic"] = partial(run_periodic, parts.database, parts.clock, _periodics(parts.config))
    return running


def _handlers(parts: Parts, delivery: Delivery) -> dict[str, Handler]:
    """What the job worker does for each kind of job."""
    return {
        **housekeeping.handlers(parts),
        **refreshing.handlers(parts),
        **anomalies.handlers(parts),
        **uploads.handlers(parts),
        **footage.handlers(parts),
        **custody.handlers(parts),
        **recalls.handlers(parts),
        **kiosks.handlers(parts),
        DELIVER: delivery.deliver,
    }


def _periodics(config: HubConfig) -> Sequence[Periodic]:
    """The jobs that come back."""
    return (
        *housekeeping.PERIODICS,
        *refreshing.PERIODICS,
        *anomalies.periodics(config.anomalies),
        *kiosks.PERIODICS,
        *uploads.PERIODICS,
        *footage.PERIODICS,
        *custody.periodics(config.custody),
    )


@asynccontextmanager
async def _open_database(config: HubConfig, secrets: Secrets) -> AsyncIterator[Database]:
    database = open_database(config.database_url, secrets.database_password.get_secret_value())
    try:
        await migrating.upgrade(database)
        yield database
    finally:
        await database.close()


async def _setup_token(config: HubConfig, database: Database, clock: Clock) -> str | None:
    if "api" not in config.roles:
        return None
    async with database.write() as session:
        return await new_token(session, clock)


def _nobody() -> None:
    """Another process sends commands, and looks for them by itself."""
