"""What becomes of three days of outage: 720,000 records drained through broker and hub, while the present goes on.

    python -m tests.bench.bench_backlog

The box's outbox is filled through `edge.outbox` itself, then the agent starts with the hub within reach and ten more
devices that speak now.
"""

import asyncio
import tempfile
import time
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from drivers.contract import Report
from edge import commands, shelf
from edge.outbox import Limits, Outbox, store_file
from edge.store import Store
from protocol.clock import SystemClock
from protocol.messages import Position, Reading, Record
from tests.bench import tables
from tests.bench.measuring import cpu_s, memory, quantile
from tests.bench.rig import FarEnd, box, real_hub, running
from tests.bench.tap import Committed, Tap

OUTAGE = timedelta(hours=72)
RECORDS, DEVICES, AT_ONCE = 720_000, 10, 1_000
LIVE_DEVICES, LIVE_RATE = 10, 10.0
GATEWAY, WALKER = "g1", "old-0"
PATIENCE_S = 900.0
AFTERWARDS_S = 10.0
"""Seconds for which the present is watched once the backlog has gone."""


@dataclass
class Watch:
    """What the tap has seen: how many old records are committed, and the delay of each live one, in seconds."""

    old: int = 0
    lags: list[float] = field(default_factory=list)
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, record: Committed) -> None:
        if record.device.startswith("live-"):
            self.lags.append(record.known - record.said)
            return
        self.old += record.device.startswith("old-")
        if self.old >= RECORDS:
            self.done.set()


@dataclass(frozen=True, slots=True)
class Spent:
    """What a program had used when the backlog had gone."""

    cpu_s: float
    rss_mb: float


def spent(pid: int) -> Spent:
    return Spent(cpu_s(pid), memory(pid).rss)


@dataclass(frozen=True, slots=True)
class Found:
    """The whole outcome."""

    filled_per_s: float
    took_s: float
    lags: list[float]
    lags_afterwards: list[float]
    stored: int
    agent: Spent
    hub: Spent


def old_record(number: int, spacing_s: float, clock: SystemClock) -> Record:
    """One device in ten walks round, as an officer does; the others are thermometers."""
    device, at = f"old-{number % DEVICES}", clock.now() - OUTAGE + timedelta(seconds=number * spacing_s)
    if device == WALKER:
        place = number // DEVICES % 1_000
        return Position(device=device, at=at, latitude=24.57 + place * 1e-6, longitude=118.1 + place * 1e-6, hdop=0.9)
    return Reading(device=device, at=at, values={"temperature_c": 4.5 + number % 7 / 10})


async def fill(folder: Path) -> float:
    """Put three days into the outbox of a box; return the records that it took per second."""
    clock, spacing_s = SystemClock(), OUTAGE.total_seconds() / RECORDS
    limits = Limits(max_bytes=1 << 30, max_age_s=30 * 86_400.0, batch_records=500, batch_bytes=128 * 1024)
    began = time.perf_counter()
    async with Store(store_file(folder / "data"), shelf.SCHEMA + commands.SCHEMA, clock, group_s=0) as store:
        outbox = await Outbox(store, GATEWAY, limits, clock).load()
        for first in range(0, RECORDS, AT_ONCE):
            numbers = range(first, first + AT_ONCE)
            await outbox.append([Report(old_record(number, spacing_s, clock)) for number in numbers])
    return RECORDS / (time.perf_counter() - began)


async def stored(far: FarEnd) -> int:
    """Count the old records at the hub through its own API."""
    assert far.http is not None
    span: dict[str, str | int] = {"gateway": GATEWAY, "from": "2000-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z"}
    answer = await far.http.get("/api/v1/positions", params={**span, "device": WALKER, "limit": 100_000})
    answer.raise_for_status()
    count = len(answer.json()["features"])
    for device in (f"old-{number}" for number in range(DEVICES)):
        asked: dict[str, str | int] = {**span, "device": device, "name": "temperature_c", "step": 86_400}
        answer = await far.http.get("/api/v1/telemetry", params=asked)
        answer.raise_for_status()
        count += sum(point[4] for point in answer.json()["points"])
    return count


async def measure(folder: Path) -> Found:
    filled = await fill(folder / "box")
    async with real_hub(folder / "real") as far:
        assert far.hub is not None
        assert far.hub.process is not None
        watch = Watch()
        live = {f"live-{number}": f"rate = {LIVE_RATE}, fsync = false" for number in range(LIVE_DEVICES)}
        password = await far.password(GATEWAY)
        async with Tap(far.port, watch.hear) as tap:
            edge = box(folder / "box", tap.port, password, live, gateway=GATEWAY)
            began = time.perf_counter()
            async with running(edge):
                async with asyncio.timeout(PATIENCE_S):
                    await watch.done.wait()
                took_s = time.perf_counter() - began
                lags, watch.lags = watch.lags, []
                agent, hub = spent(edge.pid), spent(far.hub.process.pid)
                await asyncio.sleep(AFTERWARDS_S)
        return Found(filled, took_s, lags, watch.lags, await stored(far), agent, hub)


def report(found: Found) -> None:
    tables.heading("Backlog after 72 hours of outage")
    tables.note(
        f"{RECORDS:,} records of {DEVICES} devices (one of them a walking GPS unit, whose track goes through all "
        f"location detectors) wait on the box when the hub comes back; {LIVE_DEVICES} more devices say "
        f"{LIVE_DEVICES * LIVE_RATE:.0f} records/s all the while. Live lag is from the device's word to the hub's "
        "acknowledgement. The row without backlog is the same box right afterwards."
    )
    rate = RECORDS / found.took_s
    tables.table(
        ("", "measured", "to hold"),
        [
            ("time to drain, s", f"{found.took_s:.0f}", "<= 600"),
            ("drained, records/s", f"{rate:,.0f}", f">= {RECORDS / 600:,.0f}"),
            ("the outbox alone took them in at, records/s", f"{found.filled_per_s:,.0f}", ""),
            ("drained, share of what the outbox alone takes in", f"{rate / found.filled_per_s:.0%}", ""),
            ("old records counted at the hub afterwards", f"{found.stored:,}", f"{RECORDS:,}"),
            ("live records meanwhile", f"{len(found.lags):,}", ""),
            ("live lag p50 / p95 / max, s", seconds(found.lags), "max <= 5"),
            ("the same without backlog, s", seconds(found.lags_afterwards), ""),
            ("processor: agent / hub, ms per record", f"{per_record(found.agent)} / {per_record(found.hub)}", ""),
            ("RSS at the end: agent / hub, MB", f"{found.agent.rss_mb:.0f} / {found.hub.rss_mb:.0f}", ""),
        ],
    )


def seconds(lags: list[float]) -> str:
    return f"{quantile(lags, 0.5):.2f} / {quantile(lags, 0.95):.2f} / {max(lags):.2f}"


def per_record(program: Spent) -> str:
    return f"{program.cpu_s / RECORDS * 1000:.3f}"


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="diwang-bench-") as folder:
        report(asyncio.run(measure(Path(folder))))


if __name__ == "__main__":
    main()
