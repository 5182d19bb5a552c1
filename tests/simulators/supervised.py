"""A supervised district for tests of the anomaly pipeline: real stores, one gateway, an officer on duty in one grid.

async with supervised(database, tmp_path) as site:
await site.carry("van-7")                     # the officer's device
await site.report("van-7", fixes)             # as ingest does: telemetry first, then the pipeline
await site.settle()                           # the jobs that late fixes asked for
await site.standing()
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

from sqlalchemy import delete, select, update

from hub.alerts.model import AlertRow
from hub.anomalies.finding import instant
from hub.anomalies.fixes import Fix
from hub.anomalies.hearing import WRITTEN_EVERY_S
from hub.anomalies.model import Anomaly, LateFix, TrackCheckpoint, Watch
from hub.anomalies.overdue import Overdue
from hub.anomalies.pipeline import AnomalyPipeline
from hub.anomalies.rejudging import Rejudging
from hub.anomalies.settings import AnomaliesSettings
from hub.devices.model import Device
from hub.gateways.model import Gateway
from hub.grids.model import Grid
from hub.organisation.model import Duty, Officer
from hub.parts import Parts
from hub.storage.database import Database
from hub.subjects.model import Subject
from hub.telemetry.contract import Arrival
from protocol.clock import ManualClock
from protocol.messages import Batch, Position, Reading, Record
from tests.serving import opened_parts

DAWN = datetime(2026, 11, 24, 0, tzinfo=UTC)
MIDDLE = (24.57, 118.10)
GRID = "35021100100101"
GATEWAY = "g1"
SETTINGS = AnomaliesSettings()

Told = tuple[str, datetime, datetime | None]


@dataclass
class Site:
    """The district, and a hub whose memory can be lost."""

    parts: Parts
    clock: ManualClock
    officer: UUID
    subject: UUID
    settings: AnomaliesSettings = SETTINGS
    batches: int = 0
    pipeline: AnomalyPipeline = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Lose everything that is only in memory."""
        parts = self.parts
        self.pipeline = AnomalyPipeline(
            clock=self.clock, stream=parts.stream, grids=parts.grids, settings=self.settings
        )
        self.overdue = Overdue(
            database=parts.database,
            clock=self.clock,
            settings=self.settings,
            recording=self.pipeline.recording,
            silences=self.pipeline.silences,
        )
        self.rejudging = Rejudging(
            database=parts.database,
            telemetry=parts.telemetry,
            grids=parts.grids,
            settings=self.settings,
            recording=self.pipeline.recording,
        )

    async def carry(self, device: str, *, expected_interval_s: float | None = None) -> None:
        """Let the officer carry a device."""
        await self._device(device, officer_id=self.officer, expected_interval_s=expected_interval_s)

    async def install(
        self, device: str, *, at: tuple[float, float] | None = MIDDLE, expected_interval_s: float | None = None
    ) -> None:
        """Install a device at the subject."""
        latitude, longitude = at or (None, None)
        await self._device(
            device,
            subject_id=self.subject,
            latitude=latitude,
            longitude=longitude,
            expected_interval_s=expected_interval_s,
        )

    async def _device(self, device: str, **values: object) -> None:
        async with self.parts.database.write() as session:
            session.add(Device(gateway=GATEWAY, device=device, first_seen_at=DAWN, **values))

    async def duty(self, since: datetime, until: datetime) -> None:
        """Put the officer on the roster of the grid."""
        async with self.parts.database.write() as session:
            duty = Duty(id=uuid4(), officer_id=self.officer, grid_id=GRID, role="holder", since=since, until=until)
            session.add(duty)

    async def report(self, device: str, fixes: Sequence[Fix], *, received_at: datetime | None = None) -> None:
        """Take fixes of a device as ingest does."""
        await self.take([position(device, fix) for fix in fixes], received_at=received_at)

    async def read(self, device: str, *times: datetime, received_at: datetime | None = None) -> None:
        """Take readings of a device."""
        await self.take([Reading(device=device, at=at, values={"t": 4.5}) for at in times], received_at=received_at)

    async def take(self, records: Sequence[Record], *, received_at: datetime | None = None) -> None:
        """Take records in one batch."""
        arrivals = self._arrivals(records, received_at or max(record.at for record in records))
        await self.parts.telemetry.commit(arrivals)
        self.clock.advance(WRITTEN_EVERY_S)
        async with self.parts.database.write() as session:
            await self.pipeline.take(session, arrivals)
            await self.pipeline.hear(session, arrivals)

    async def lose(self, arrivals: Sequence[Arrival], error: Exception) -> None:
        """Judge batches in a transaction that fails with an error after that."""
        async with self.parts.database.write() as session:
            await self.pipeline.take(session, arrivals)
            raise error

    def arrival(self, device: str, fixes: Sequence[Fix]) -> list[Arrival]:
        """Return one batch of fixes, as the pipeline gets it."""
        return self._arrivals([position(device, fix) for fix in fixes], instant(fixes[-1].at_us))

    def _arrivals(self, records: Sequence[Record], received_at: datetime) -> list[Arrival]:
        self.batches += 1
        return [
            Arrival(
                Batch(
                    id=uuid4(),
                    gateway=GATEWAY,
                    epoch=UUID(int=1),
                    seq=self.batches,
                    sent_at=received_at,
                    records=tuple(records),
                ),
                received_at,
            )
        ]

    async def settle(self) -> None:
        """Answer every mark of late fixes, as the jobs do."""
        async with self.parts.database.read() as session:
            marked = (await session.execute(select(LateFix.gateway, LateFix.device).distinct())).all()
        for gateway, device in marked:
            await self.rejudging.judge_again((gateway, device))

    async def forget(self, device: str, from_us: int) -> None:
        """Lose the state of a device's detectors, and ask for its track to be judged again."""
        async with self.parts.database.write() as session:
            await session.execute(delete(TrackCheckpoint).where(TrackCheckpoint.device == device))
            await session.execute(update(Watch).where(Watch.device == device).values(track=None))
            session.add(LateFix(gateway=GATEWAY, device=device, at_us=from_us))
        await self.settle()

    async def look(self, now: datetime) -> None:
        """Look for what is overdue at a time of the hub's clock."""
        self.clock.step((now - self.clock.now()).total_seconds())
        await self.overdue.look()

    async def link(self, *, online: bool, at: datetime) -> None:
        """Let the gateway's link go up or down."""
        async with self.parts.database.write() as session:
            gateway = await session.get(Gateway, GATEWAY)
            assert gateway is not None
            gateway.online, gateway.heard_at = online, at
            gateway.last_seen_at = at

    async def anomalies(self, device: str | None = None, *, withdrawn: bool = False) -> list[Anomaly]:
        """Return the anomalies of a device, the oldest first."""
        wanted = select(Anomaly).order_by(Anomaly.began_at, Anomaly.type)
        if device is not None:
            wanted = wanted.where(Anomaly.device == device)
        if not withdrawn:
            wanted = wanted.where(Anomaly.withdrawn_at.is_(None))
        async with self.parts.database.read() as session:
            return list(await session.scalars(wanted))

    async def standing(self, device: str) -> set[tuple[UUID, str, datetime, datetime | None]]:
        """Return what stands of a device: id, type, when it began and ended."""
        return {(row.id, row.type, row.began_at, row.ended_at) for row in await self.anomalies(device)}

    async def told(self, device: str) -> list[Told]:
        """Return what stands of a device, without ids: the same for devices that lived the same."""
        return [(row.type, row.began_at, row.ended_at) for row in await self.anomalies(device)]

    async def alerts(self) -> list[AlertRow]:
        """Return all alerts, the oldest first."""
        async with self.parts.database.read() as session:
            return list(await session.scalars(select(AlertRow).order_by(AlertRow.raised_at, AlertRow.key)))


def position(device: str, fix: Fix) -> Position:
    """Return the record that reports a fix."""
    return Position(
        device=device,
        at=instant(fix.at_us),
        latitude=fix.latitude,
        longitude=fix.longitude,
        sigma_m=fix.sigma_m,
        speed_mps=fix.speed_mps,
    )


@asynccontextmanager
async def supervised(database: Database, folder: Path, settings: AnomaliesSettings = SETTINGS) -> AsyncIterator[Site]:
    """Open the district: a square grid of 1 km around MIDDLE."""
    clock = ManualClock(DAWN - timedelta(hours=1))
    officer, subject = uuid4(), uuid4()
    async with opened_parts(database, folder, clock) as parts:
        async with database.write() as session:
            session.add(Grid(id=GRID, name="Grid", geometry=_square(), valid_from=DAWN - timedelta(days=30)))
            session.add(Officer(id=officer, name="Chen", kind="assistant"))
            session.add(
                Gateway(gateway=GATEWAY, password_digest="0" * 64, credentials_at=DAWN, created_at=DAWN, online=True)
            )
            await session.flush()
            session.add(Subject(id=subject, name="Noodles", status_at=DAWN, created_at=DAWN, grid_id=GRID))
        yield Site(parts, clock, officer, subject, settings)


def _square() -> dict[str, object]:
    north, east = 0.0045, 0.0049
    corners = [(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)]
    ring = [[MIDDLE[1] + x * east, MIDDLE[0] + y * north] for x, y in corners]
    return {"type": "Polygon", "coordinates": [ring]}
