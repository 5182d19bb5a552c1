"""Side by side with ThingsBoard IoT Gateway under the same load: cost, delay, and what is lost when things go wrong.

    python -m tests.bench.bench_peer

Runs in a network namespace without an outside where the machine allows it: the peer asks for updates and packages of
its own accord.
"""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGINT, SIGKILL, SIGTERM, Signals

from tests.bench import tables
from tests.bench.measuring import Memory, cpu_s, memory, quantile
from tests.bench.peer_boxes import VERSION, Box, Load, Make, boxes, install
from tests.bench.peer_far_end import Arrivals, our_far_end, peer_far_end
from tests.simulators.fault_proxy import FaultProxy
from tests.simulators.mosquitto import mosquitto

INSIDE = "--inside"
UNBOUNDED = "max_queued_messages 0\nmax_inflight_messages 0\n"
FIRST_WITHIN_S, SETTLE_S, IDLE_S, STEADY_S = 60.0, 5.0, 10.0, 15.0
IDLE, STEADY = Load(rate=1e-4), Load(rate=1_000.0, burst=10)
FLOOD, FLOOD_WITHIN_S = Load(rate=1e9, burst=1_000, total=50_000), 60.0
HURT = Load(rate=200.0, burst=2, total=3_000)
HURT_AFTER = 600
"""Messages after which the fault comes."""

OUTAGE_S, QUIET_S, HEALED_WITHIN_S = 10.0, 15.0, 75.0


@dataclass(frozen=True, slots=True)
class Lane:
    """One gateway with a link and a far end of its own."""

    box: Box
    proxy: FaultProxy
    arrivals: Arrivals

    async def until(self, condition: Callable[[], bool], within_s: float) -> bool:
        """Return whether it came true in time."""
        until = time.monotonic() + within_s
        while not condition():
            if time.monotonic() > until:
                return False
            await asyncio.sleep(0.1)
        return True

    async def spoken(self, messages: int) -> None:
        """Wait until the source has said so much; a gateway that does not even start is an error."""
        if not await self.until(lambda: len(self.box.ledger("said")) >= messages, FIRST_WITHIN_S):
            raise AssertionError(f"the source has said {len(self.box.ledger('said'))} of {messages} messages")


@asynccontextmanager
async def lane(name: str, make: Make, load: Load) -> AsyncIterator[Lane]:
    far_end = our_far_end if name == "ours" else peer_far_end
    with tempfile.TemporaryDirectory(prefix="diwang-bench-") as folder:
        place = Path(folder)
        async with (
            mosquitto(place / "broker", UNBOUNDED) as broker,
            far_end(broker.port) as arrivals,
            FaultProxy(broker.port) as proxy,
        ):
            box = make(_made(place / "box"), proxy.port, load)
            try:
                yield Lane(box, proxy, arrivals)
            finally:
                await box.end(SIGKILL)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


@dataclass(frozen=True, slots=True)
class Cost:
    """What a gateway takes, and what it gives for it."""

    idle: Memory
    idle_percent: float
    steady_rss_mb: float
    arrived_per_s: float
    cpu_ms: float
    p50_ms: float
    p99_ms: float
    flood_per_s: float
    flood_arrived: int


async def cost(name: str, make: Make) -> Cost:
    async with lane(name, make, IDLE) as idle:
        await idle.box.start()
        await idle.until(lambda: bool(idle.arrivals.delays), FIRST_WITHIN_S)
        await asyncio.sleep(SETTLE_S)
        before = cpu_s(idle.box.pid)
        await asyncio.sleep(IDLE_S)
        rest, rest_s = memory(idle.box.pid), cpu_s(idle.box.pid) - before
    async with lane(name, make, STEADY) as steady:
        await steady.box.start()
        await steady.until(lambda: bool(steady.arrivals.delays), FIRST_WITHIN_S)
        await asyncio.sleep(SETTLE_S)
        before, seen = cpu_s(steady.box.pid), len(steady.arrivals.delays)
        await asyncio.sleep(STEADY_S)
        used_s, delays = cpu_s(steady.box.pid) - before, list(steady.arrivals.delays.values())[seen:]
        loaded = memory(steady.box.pid)
    async with lane(name, make, FLOOD) as flood:
        await flood.box.start()
        await flood.until(lambda: bool(flood.arrivals.delays), FIRST_WITHIN_S)
        begun = time.time()
        await flood.until(lambda: len(flood.arrivals.delays) >= FLOOD.total, FLOOD_WITHIN_S)
        arrived, took_s = len(flood.arrivals.delays), flood.arrivals.last_at - begun
    return Cost(
        idle=rest,
        idle_percent=rest_s / IDLE_S * 100,
        steady_rss_mb=loaded.rss,
        arrived_per_s=len(delays) / STEADY_S,
        cpu_ms=used_s / max(len(delays), 1) * 1000,
        p50_ms=quantile(delays, 0.5) * 1000,
        p99_ms=quantile(delays, 0.99) * 1000,
        flood_per_s=arrived / max(took_s, 1e-3),
        flood_arrived=arrived,
    )


async def _ended(lane: Lane, number: Signals) -> None:
    await lane.box.start()
    await lane.spoken(HURT_AFTER)
    await lane.box.end(number)
    await lane.box.start()


async def killed(lane: Lane) -> None:
    await _ended(lane, SIGKILL)


async def terminated(lane: Lane) -> None:
    await _ended(lane, SIGTERM)


async def interrupted(lane: Lane) -> None:
    await _ended(lane, SIGINT)


async def link_lost(lane: Lane) -> None:
    await lane.box.start()
    await lane.spoken(HURT_AFTER)
    lane.proxy.set(blackhole=True)
    await asyncio.sleep(OUTAGE_S)
    lane.proxy.reset()
    lane.proxy.clear()


async def offline_boot(lane: Lane) -> None:
    lane.proxy.set(down=True)
    await lane.box.start()
    await lane.spoken(HURT_AFTER)
    await asyncio.sleep(OUTAGE_S / 2)
    lane.proxy.clear()


async def offline_boot_killed(lane: Lane) -> None:
    lane.proxy.set(down=True)
    await _ended(lane, SIGKILL)
    await asyncio.sleep(OUTAGE_S / 2)
    lane.proxy.clear()


FAULTS: dict[str, Callable[[Lane], Awaitable[None]]] = {
    "kill -9, started again": killed,
    "SIGTERM, started again": terminated,
    "SIGINT, started again": interrupted,
    f"link silent for {OUTAGE_S:.0f} s, then reset": link_lost,
    "broker out of reach at the start": offline_boot,
    "the same, and kill -9 before it is reached": offline_boot_killed,
}


@dataclass(frozen=True, slots=True)
class Loss:
    """Messages that the gateway took and that never came; that it had not taken yet; that came more than once."""

    lost: int
    untaken: int
    repeated: int


async def suffer(name: str, make: Make, fault: Callable[[Lane], Awaitable[None]]) -> Loss:
    """Hurt one gateway in mid-flow, let it go on, and count once nothing has come for a while."""
    async with lane(name, make, HURT) as here:
        await fault(here)
        await here.spoken(HURT.total)
        arrivals, until = here.arrivals, time.monotonic() + HEALED_WITHIN_S
        seen = -1
        while seen != len(arrivals.delays) and time.monotonic() < until:
            seen = len(arrivals.delays)
            if await here.until(lambda: len(arrivals.delays) >= HURT.total, QUIET_S):
                break
        said, kept, came = set(here.box.ledger("said")), set(here.box.ledger("kept")), set(arrivals.delays)
        return Loss(lost=len(kept - came), untaken=len(said - kept - came), repeated=arrivals.repeated)


async def measure() -> tuple[dict[str, Cost], dict[str, list[Loss]]]:
    subjects = boxes()
    costs = {name: await cost(name, make) for name, make in subjects.items()}
    losses = {}
    for words, fault in FAULTS.items():
        losses[words] = list(await asyncio.gather(*(suffer(name, make, fault) for name, make in subjects.items())))
    return costs, losses


def report(costs: dict[str, Cost], losses: dict[str, list[Loss]], *, isolated: bool) -> None:
    tables.heading(f"Side by side with thingsboard-gateway {VERSION}")
    tables.note(
        "The same source inside either program: ours through a driver, the peer's through a connector that calls "
        "`send_to_storage`. The same broker (mosquitto: the peer speaks MQTT 5), and a far end that only counts. Ours "
        "acknowledges each batch; the peer takes the broker's PUBACK for an acknowledgement, as it does from "
        "ThingsBoard, and is granted every rate that it asks for. The peer's settings are those it ships, but remote "
        "configuration, shell and statistics are off, and its stores on disk read 1,000 messages at once instead of "
        "10, which favours it. "
        + ("No network but loopback." if isolated else "This machine allows no network namespace.")
    )
    rows: list[tuple[str, Callable[[Cost], str]]] = [
        ("at rest: RSS, MB", lambda each: f"{each.idle.rss:.0f}"),
        ("at rest: processor, % of a core", lambda each: f"{each.idle_percent:.1f}"),
        (f"{STEADY.rate:,.0f} messages/s: arrived per second", lambda each: f"{each.arrived_per_s:,.0f}"),
        (f"{STEADY.rate:,.0f} messages/s: processor, ms per message", lambda each: f"{each.cpu_ms:.3f}"),
        (f"{STEADY.rate:,.0f} messages/s: RSS, MB", lambda each: f"{each.steady_rss_mb:.0f}"),
        (f"{STEADY.rate:,.0f} messages/s: said to arrived, p50, ms", lambda each: f"{each.p50_ms:.0f}"),
        (f"{STEADY.rate:,.0f} messages/s: said to arrived, p99, ms", lambda each: f"{each.p99_ms:.0f}"),
        (f"{FLOOD.total:,} at once: arrived per second", lambda each: f"{each.flood_per_s:,.0f}"),
        (f"{FLOOD.total:,} at once: arrived within {FLOOD_WITHIN_S:.0f} s", lambda each: f"{each.flood_arrived:,}"),
    ]
    tables.table(("", *costs), [(words, *(figure(each) for each in costs.values())) for words, figure in rows])
    tables.note(
        "Ours writes every record through to the disk before its source hears that it is taken (WAL, synchronous "
        "FULL). Of the peer's stores `memory`, its default, writes nothing, `file` flushes and does not sync, and "
        "`sqlite` is WAL with synchronous NORMAL. Delays end with the arrival at the far end; the peer's have a "
        "resolution of 1 ms. What is given at once is timed from the first arrival, which favours the peer: its source "
        "has spoken by then."
    )
    tables.note(
        f"Lost: of {HURT.total:,} messages at {HURT.rate:.0f}/s, those that the gateway had taken (ours: stored; the "
        "peer: `send_to_storage` returned success) and that never arrived. In brackets those said and not yet taken, "
        "which the source knows of, and those that arrived more than once. Each gateway is hurt after "
        f"{HURT_AFTER} messages and given {HEALED_WITHIN_S:.0f} s to deliver. The peer stops cleanly on SIGINT (its "
        "service file sends it); on SIGTERM, which a container runtime sends, it has no handler."
    )
    tables.table(
        ("lost (untaken, repeated)", *costs),
        [
            (words, *(f"{each.lost:,} ({each.untaken}, {each.repeated:,})" for each in row))
            for words, row in losses.items()
        ],
    )


def main() -> None:
    if INSIDE not in sys.argv:
        install()
        alone = ["unshare", "--net", *([] if os.geteuid() == 0 else ["--map-root-user"])]
        if all(map(shutil.which, ("unshare", "ip"))) and _allowed([*alone, "ip", "link", "set", "lo", "up"]):
            inside = f"ip link set lo up && exec {sys.executable} -m tests.bench.bench_peer {INSIDE}"
            os.execvp(alone[0], [*alone, "sh", "-c", inside])  # noqa: S606 - this program again, without a network
    report(*asyncio.run(measure()), isolated=INSIDE in sys.argv)


def _allowed(command: list[str]) -> bool:
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


if __name__ == "__main__":
    main()
