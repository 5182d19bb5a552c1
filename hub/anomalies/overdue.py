"""Looking, now and then, for what should have been heard by the hub's clock: officers, devices, gateways."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from hub.alerts import repository as alerts
from hub.anomalies import repository
from hub.anomalies.finding import microseconds
from hub.anomalies.model import Anomaly
from hub.anomalies.recording import Found, Recording
from hub.anomalies.repository import Key
from hub.anomalies.settings import GATEWAY_OFFLINE, AnomaliesSettings
from hub.anomalies.silences import Silences
from hub.anomalies.silent import Silent
from hub.jobs.model import Job
from hub.metrics import OPEN_ALERTS
from hub.storage.database import Database
from protocol.clock import Clock
from protocol.messages import SEVERITIES

OVERDUE: Final = "anomalies.overdue"
_AT_ONCE: Final = 200


class Overdue:
    """The periodic look. Doing it again changes nothing."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        settings: AnomaliesSettings,
        recording: Recording,
        silences: Silences,
    ) -> None:
        self._database = database
        self._clock = clock
        self._recording = recording
        self._silences = silences
        self._silent = Silent(settings)
        self._least = timedelta(seconds=settings.silence.least_s)
        self._listening_since = clock.now()

    async def handle(self, _: Job) -> None:
        """Look once, as a job."""
        await self.look()

    async def look(self) -> None:
        """Judge gateways first: a device whose gateway is gone is not silent by itself.

        A hub that was away itself hears nobody at first: it waits for the least silence before it believes one.
        """
        now = self._clock.now()
        if now - self._listening_since >= self._least:
            async with self._database.write() as session:
                await self._look_at_gateways(session, now)
            after: Key | None = None
            while (after := await self._look_at_devices(now, after)) is not None:
                continue
        async with self._database.read() as session:
            numbers = await alerts.open_by_severity(session)
        for severity in SEVERITIES:
            OPEN_ALERTS.labels(severity.value).set(numbers.get(severity.value, 0))

    async def _look_at_gateways(self, session: AsyncSession, now: datetime) -> None:
        told = {row.gateway: row for row in await repository.open_of(session, GATEWAY_OFFLINE)}
        founds = []
        for gateway in await repository.offline_gateways(session):
            known = told.pop(gateway.gateway, None)
            since = gateway.last_seen_at
            if known is None and since is not None:
                finding = self._silent.offline(microseconds(since), microseconds(now))
                founds += [Found(gateway.gateway, "", finding)] if finding is not None else []
        await self._recording.record(session, founds)
        await self._end(session, told)

    async def _end(self, session: AsyncSession, told: dict[str, Anomaly]) -> None:
        """End the outages of gateways that are back."""
        gateways = await repository.gateways(session, told)
        for name, row in told.items():
            gateway = gateways.get(name)
            back_at = gateway.heard_at if gateway is not None else None
            at = back_at if back_at is not None and back_at > row.began_at else self._clock.now()
            await self._recording.end(session, row, min(at, self._clock.now()))

    async def _look_at_devices(self, now: datetime, after: Key | None) -> Key | None:
        """Judge some devices; return the last of them, or None when there are no more."""
        async with self._database.read() as session:
            keys = await repository.not_heard_since(session, now - self._least, _AT_ONCE, after)
        if not keys:
            return None
        async with self._database.write() as session:
            devices = await repository.devices(session, keys)
            watches = await repository.hold(session, keys)
            gateways = await repository.gateways(session, {gateway for gateway, _ in keys})
            for key in keys:
                row, gateway = devices.get(key), gateways.get(key[0])
                gone = gateway is not None and not gateway.online
                if row is not None and not (gone and row.officer_id is None):
                    await self._silences.overdue(session, row, watches[key], now)
        return keys[-1]
