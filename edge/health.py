"""How the box itself does: readings of the device `gateway`, and events when something is wrong with it."""

import asyncio
import resource
import shutil
import time
from pathlib import Path
from typing import Any, Final

from drivers.contract import Report
from edge.config import GATEWAY_DEVICE, Config
from edge.hub_clock import HubClock
from edge.intake import Intake
from edge.outbox import Outbox
from protocol import logs
from protocol.clock import Clock
from protocol.messages import Event, EventState, OutboxStatus, Reading, Severity, Value

_STATM: Final = Path("/proc/self/statm")

log = logs.get(__name__)


class Health:
    """Looks at the box every interval of the configuration."""

    def __init__(self, config: Config, outbox: Outbox, intake: Intake, hub_clock: HubClock, clock: Clock) -> None:
        self._config = config
        self._outbox = outbox
        self._intake = intake
        self._hub_clock = hub_clock
        self._clock = clock
        self._wall, self._wall_at = clock.now(), clock.monotonic()
        self._monotonic = self._wall_at
        self._cpu_s = time.process_time()
        self._dropped: int | None = None
        self._quarantined: int | None = None
        self._disk_low: Event | None = None
        self._taken_bytes = 0

    async def run(self) -> None:
        """Report until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(self._config.health.interval_s)

    async def look(self) -> None:
        """Take one look: report the figures and what has changed for the worse or the better."""
        status = await self._outbox.status()
        free = disk_free(self._config.data)
        await self._watch_clock()
        await self._watch_disk(free)
        await self._watch_outbox(status)
        await self._intake.put(Report(await self._figures(status, free)))

    async def _figures(self, status: OutboxStatus, free: int) -> Reading:
        now, monotonic, cpu_s = self._clock.now(), self._clock.monotonic(), time.process_time()
        values: dict[str, Value] = {
            "outbox_records": float(status.records),
            "outbox_bytes": float(await self._outbox.bytes_used()),
            "outbox_oldest_age_s": max(0.0, (now - status.oldest_at).total_seconds()) if status.oldest_at else 0.0,
            "outbox_dropped_total": float(status.dropped),
            "outbox_quarantined_total": float(status.quarantined),
            "disk_free_bytes": float(free),
            "rss_bytes": float(_rss_bytes()),
        }
        if (passed_s := monotonic - self._monotonic) > 0:
            values["cpu_share"] = (cpu_s - self._cpu_s) / passed_s
            values["outbox_bytes_per_day"] = (self._outbox.taken_bytes - self._taken_bytes) / passed_s * 86_400
        if (offset_s := self._hub_clock.offset_s) is not None:
            values["clock_offset_s"] = offset_s
        self._monotonic, self._cpu_s = monotonic, cpu_s
        self._taken_bytes = self._outbox.taken_bytes
        return Reading(device=GATEWAY_DEVICE, at=now, values=values)

    async def _watch_clock(self) -> None:
        wall, monotonic = self._clock.now(), self._clock.monotonic()
        step_s = (wall - self._wall).total_seconds() - (monotonic - self._wall_at)
        self._wall, self._wall_at = wall, monotonic  # what is judged now, so that no step falls between two looks
        if abs(step_s) >= self._config.health.clock_step_s:
            self._hub_clock.forget()
            log.warning("clock_stepped", seconds=round(step_s, 3))
            await self._say("clock.stepped", Severity.MINOR, {"seconds": step_s})

    async def _watch_disk(self, free: int) -> None:
        low = free < self._config.health.disk_low_bytes
        if low and self._disk_low is None:
            log.warning("disk_low", bytes_free=free)
            self._disk_low = await self._say("disk.low", Severity.MAJOR, {"bytes_free": free}, EventState.BEGAN)
        elif not low and self._disk_low is not None:
            log.info("disk_has_room_again", bytes_free=free)
            ended = Event(
                device=GATEWAY_DEVICE,
                at=self._clock.now(),
                type="disk.low",
                severity=Severity.MAJOR,
                id=self._disk_low.id,
                state=EventState.ENDED,
                data={"bytes_free": free},
            )
            await self._intake.put(Report(ended))
            self._disk_low = None

    async def _watch_outbox(self, status: OutboxStatus) -> None:
        if (dropped := status.dropped - (self._dropped or 0)) and self._dropped is not None:
            log.error("telemetry_dropped", records=dropped)
            await self._say("outbox.dropped", Severity.MINOR, {"records": dropped, "total": status.dropped})
        if (refused := status.quarantined - (self._quarantined or 0)) and self._quarantined is not None:
            await self._say("outbox.quarantined", Severity.MINOR, {"messages": refused, "total": status.quarantined})
        self._dropped, self._quarantined = status.dropped, status.quarantined

    async def _say(
        self, kind: str, severity: Severity, data: dict[str, Any], state: EventState = EventState.INSTANT
    ) -> Event:
        event = Event(
            device=GATEWAY_DEVICE,
            at=self._clock.now(),
            type=kind,
            severity=severity,
            id=self._clock.new_id(),
            state=state,
            data=data,
        )
        await self._intake.put(Report(event))
        return event


def disk_free(folder: Path) -> int:
    """Return the free bytes of a folder's disk."""
    return shutil.disk_usage(folder).free


def _rss_bytes() -> int:
    try:
        return int(_STATM.read_text().split()[1]) * resource.getpagesize()
    except OSError:  # not Linux: the peak is the next best
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
