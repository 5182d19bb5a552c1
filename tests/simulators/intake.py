"""A real intake in this process: embedded NATS, DuckDB, SQLite, a folder for media."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from hub.config import HubConfig, Secrets
from hub.device_models.live import LiveModels
from hub.gateways.model import Gateway
from hub.gateways.registry import digest_of
from hub.ingest.contract import Consumer
from hub.ingest.intake import Intake, open_intake
from hub.media.store import MediaFolder
from hub.storage.database import Database, open_database
from hub.storage.tables import metadata
from hub.stream.stream import Stream
from hub.telemetry.contract import TelemetryStore
from hub.telemetry.duckdb_store import DuckDBStore
from protocol.clock import SystemClock

PASSWORD = "a password of 256 bits, shortened"  # noqa: S105 - of gateways that live for one test


@dataclass
class Chain:
    """The parts that a test looks into."""

    intake: Intake
    database: Database
    telemetry: TelemetryStore
    media: MediaFolder
    address: str

    async def register(self, *names: str) -> None:
        async with self.database.write() as session:
            for name in names:
                session.add(
                    Gateway(
                        gateway=name,
                        password_digest=digest_of(PASSWORD),
                        credentials_at=CLOCK.now(),
                        created_at=CLOCK.now(),
                    )
                )


CLOCK = SystemClock()


@asynccontextmanager
async def running_chain(
    data: Path,
    *,
    consumers: Sequence[Consumer] | Callable[[Database, Stream], Sequence[Consumer]] = (),
    telemetry: TelemetryStore | None = None,
    broker: Mapping[str, object] | None = None,
    ingest: Mapping[str, object] | None = None,
) -> AsyncIterator[Chain]:
    config = HubConfig.model_validate({"data": data, "broker": broker or {"mqtt_port": 0}, "ingest": ingest or {}})
    database = open_database(config.database_url)
    async with database.engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    store = telemetry or await DuckDBStore.opened(data / "telemetry.duckdb")
    media = MediaFolder(data / "media")
    stream = Stream(database, CLOCK)
    try:
        async with open_intake(
            config,
            Secrets(),
            clock=CLOCK,
            database=database,
            telemetry=store,
            media=media,
            stream=stream,
            consumers=consumers(database, stream) if callable(consumers) else consumers,
            models=LiveModels(database, CLOCK),
        ) as intake:
            running = asyncio.create_task(intake.run())
            await intake.ready.wait()
            try:
                yield Chain(intake, database, store, media, intake.broker.address)
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
    finally:
        await store.close()
        await database.close()
