"""Whether kiosks are alive: each page says so every half minute, and one that does not is lost."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from hub.anomalies import repository as anomalies
from hub.anomalies.finding import Finding, microseconds
from hub.anomalies.raising import Raising
from hub.anomalies.recording import Found, Recording
from hub.anomalies.settings import TERMINAL_SILENT
from hub.devices import repository as devices
from hub.devices.repository import DeviceKey
from hub.jobs.model import Job
from hub.jobs.periodic import Periodic
from hub.jobs.worker import Handler
from hub.kiosks import repository
from hub.kiosks.model import Kiosk
from hub.parts import Parts
from protocol.messages import DeviceState

WATCH: Final = "kiosks.watch"
PERIODICS: Final = (Periodic(WATCH, timedelta(seconds=30)),)
SILENT_AFTER: Final = timedelta(seconds=90)
"""Three words of life that are missing."""

PAGE: Final = "kiosk-page"
"""Stands for the driver of a device whose page alone tells of it; a box that drives its browser says more."""


class KioskWatch:
    """Hears pages, and tells of those that fell silent."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        raising = Raising(parts.clock, parts.stream, parts.config.anomalies)
        self._recording = Recording(parts.clock, parts.stream, parts.grids, raising)

    async def hear(self, session: AsyncSession, kiosk: Kiosk, page: str) -> None:
        """Take a word of life. The caller commits."""
        now = self._parts.clock.now()
        kiosk.last_heard_at, kiosk.page = now, page
        await devices.note_seen(session, {DeviceKey(kiosk.gateway, kiosk.device): now})
        if kiosk.silence_id is not None:
            for row in (await anomalies.by_id(session, {kiosk.silence_id})).values():
                await self._recording.end(session, row, now)
            kiosk.silence_id = None
        await self._show(session, kiosk, DeviceState.OK)

    async def look(self) -> None:
        """Tell of kiosks that are silent for too long."""
        before = self._parts.clock.now() - SILENT_AFTER
        async with self._parts.database.write() as session:
            for kiosk in await repository.silent_since(session, before):
                if kiosk.last_heard_at is None:
                    continue
                began_us = microseconds(kiosk.last_heard_at)
                finding = Finding(
                    type=TERMINAL_SILENT,
                    severity=self._parts.config.anomalies.severities[TERMINAL_SILENT],
                    began_us=began_us,
                    decided_us=began_us,
                    summary="",
                    data={"kiosk": str(kiosk.id), "name": kiosk.name},
                )
                found = Found(kiosk.gateway, kiosk.device, finding)
                await self._recording.record(session, [found])
                kiosk.silence_id = found.id
                await self._show(session, kiosk, DeviceState.LOST)

    async def _show(self, session: AsyncSession, kiosk: Kiosk, status: DeviceState) -> None:
        """Show it as the device's status, unless the driver of a box tells that itself."""
        row = await devices.find(session, DeviceKey(kiosk.gateway, kiosk.device))
        if row is None or row.driver != PAGE or row.status == status.value:
            return
        row.status, row.status_since = status.value, self._parts.clock.now()
        facts = {"gateway": row.gateway, "device": row.device, "driver": row.driver, "status": row.status}
        await self._parts.stream.append(session, "device", {**facts, "detail": row.detail})


def handlers(parts: Parts) -> Mapping[str, Handler]:
    """Return what to do for each kind of job."""
    watch = KioskWatch(parts)

    async def look(_: Job) -> None:
        await watch.look()

    return {WATCH: look}
