"""What can be seen on the box itself: its disk, its clock, and what the agent wrote last."""

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from edge.config import Config
from edge.doctor.findings import Finding, fine, watch, wrong
from edge.health import disk_free
from edge.standing import EVERY_S, Standing
from protocol.clock import Clock
from protocol.messages import DeviceState

_SILENT_S: Final = 4 * EVERY_S
_OFF_S: Final = 5.0
_WAITS: Final = timedelta(hours=1)
_BUILT: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""No box runs this program before this day: a clock that says so was never set."""


def disk(config: Config) -> Finding:
    """Look whether the data folder can be written, and whether its disk has room."""
    try:
        config.data.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=config.data):
            free = disk_free(config.data)
    except OSError as error:
        return wrong("data_not_writable", folder=config.data, reason=error.strerror or error)
    room = wrong if free < config.health.disk_low_bytes else fine
    return room("disk_low" if room is wrong else "disk_fine", megabytes=free // 1_000_000)


def clock_of(standing: Standing | None, clock: Clock) -> Finding:
    """Compare the box's clock with the hub's as the agent last heard it."""
    if clock.now() < _BUILT:
        return wrong("clock_never_set", now=clock.now().isoformat(timespec="seconds"))
    offset_s = standing.clock_offset_s if standing is not None else None
    if offset_s is None:
        return fine("clock_not_compared", now=clock.now().isoformat(timespec="seconds"))
    if abs(offset_s) > _OFF_S:
        return watch("clock_off", seconds=f"{offset_s:+.0f}")
    return fine("clock_fine", seconds=f"{offset_s:+.1f}")


def agent(standing: Standing | None, clock: Clock, *, lives: bool) -> Finding:
    """Tell whether the agent runs."""
    if standing is None:
        return wrong("agent_never_ran")
    age_s = (clock.now() - standing.written_at).total_seconds()
    if not lives:
        return wrong("agent_not_running", since=standing.written_at.isoformat(timespec="seconds"))
    if age_s > _SILENT_S:
        return wrong("agent_hangs", seconds=round(age_s))
    return fine("agent_fine", version=standing.state.agent, since=standing.started_at.isoformat(timespec="seconds"))


def line(standing: Standing) -> Finding:
    """Tell what the running agent says of its link."""
    since = standing.line.since.isoformat(timespec="seconds")
    if standing.line.connected:
        return fine("uplink_fine", since=since)
    return wrong("uplink_down", since=since, reason=standing.line.reason)


def outbox(standing: Standing, clock: Clock) -> Iterator[Finding]:
    """Tell what waits for the hub, and what had to go."""
    waiting = standing.state.outbox
    if waiting is None:
        return
    if waiting.oldest_at is not None and clock.now() - waiting.oldest_at > _WAITS:
        yield watch("outbox_waits", records=waiting.records, since=waiting.oldest_at.isoformat(timespec="seconds"))
    else:
        yield fine("outbox_fine", records=waiting.records)
    if waiting.dropped:
        yield watch("outbox_dropped", records=waiting.dropped)
    if waiting.quarantined:
        yield watch("outbox_quarantined", messages=waiting.quarantined)


def devices(standing: Standing) -> Iterator[Finding]:
    """Tell how each device does."""
    for each in standing.state.devices:
        facts = {"device": each.device, "driver": each.driver, "since": each.since.isoformat(timespec="seconds")}
        if each.status is DeviceState.OK:
            yield fine("device_fine", **facts)
        else:
            unwell = watch if each.status is DeviceState.DEGRADED else wrong
            yield unwell("device_unwell", status=each.status, detail=each.detail, **facts)
