"""What the agent costs on its box, at rest and at 1,000 records a second, and how soon a record is committed.

    python -m tests.bench.bench_edge

The agent is the real program; beside it, in the same run, the least that could carry the same load.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from math import isnan, nan
from pathlib import Path

from tests.bench import tables
from tests.bench.measuring import Memory, cpu_s, memory, quantile
from tests.bench.rig import FarEnd, box, real_hub, running, stand_in
from tests.bench.tap import Committed, Tap
from tests.simulators.edge_process import ROOT, EdgeProcess

SETTLE_S, IDLE_S, LOADED_S = 5.0, 20.0, 15.0
DEVICES, RATE = 10, 100.0
LEAST_RATE = 1e-4
"""Records/s of a device at rest: one at its start, and none for as long as it is watched."""


@dataclass(frozen=True, slots=True)
class Rest:
    """A process with nothing to do."""

    memory: Memory
    cpu_percent: float


@dataclass(frozen=True, slots=True)
class Load:
    """A process at work."""

    records: int
    cpu_ms_per_record: float
    hub_cpu_ms_per_record: float
    memory: Memory
    left_p50_ms: float
    p50_ms: float
    p99_ms: float


async def at_rest(pid: int) -> Rest:
    await asyncio.sleep(SETTLE_S)
    before = cpu_s(pid)
    await asyncio.sleep(IDLE_S)
    return Rest(memory(pid), (cpu_s(pid) - before) / IDLE_S * 100)


def devices(rate: float) -> dict[str, str]:
    return {f"d{number}": f"rate = {rate}, fsync = false" for number in range(DEVICES)}


@asynccontextmanager
async def agent(folder: Path, far: FarEnd, port: int, gateway: str, rate: float) -> AsyncIterator[EdgeProcess]:
    async with running(box(folder, port, await far.password(gateway), devices(rate), gateway=gateway)) as edge:
        yield edge


@asynccontextmanager
async def bare(port: int, rate: float) -> AsyncIterator[asyncio.subprocess.Process]:
    command = (sys.executable, "-m", "tests.bench.bare_minimum", str(port), str(DEVICES), str(rate))
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            await process.communicate()


async def rest(folder: Path, near: FarEnd, far: FarEnd) -> list[Rest]:
    """Watch all three at the same time: nothing that they do gets into each other's way."""
    async with AsyncExitStack() as stack:
        least = await stack.enter_async_context(bare(near.port, LEAST_RATE))
        one = await stack.enter_async_context(agent(folder / "one", near, near.port, "idle", LEAST_RATE))
        two = await stack.enter_async_context(agent(folder / "two", far, far.port, "idle", LEAST_RATE))
        return list(await asyncio.gather(*(at_rest(process.pid) for process in (least, one, two))))


async def bare_at_work(port: int) -> Load:
    async with bare(port, RATE) as process:
        await asyncio.sleep(SETTLE_S)
        before = cpu_s(process.pid)
        await asyncio.sleep(LOADED_S)
        used, occupied = cpu_s(process.pid) - before, memory(process.pid)
        process.terminate()
        found = json.loads((await process.communicate())[0])
    count = round(LOADED_S * RATE * DEVICES)
    delays = [delay * 1000 for delay in found["delays"][-count:]]
    return Load(
        records=count,
        cpu_ms_per_record=used / count * 1000,
        hub_cpu_ms_per_record=nan,
        memory=occupied,
        left_p50_ms=nan,
        p50_ms=quantile(delays, 0.5),
        p99_ms=quantile(delays, 0.99),
    )


async def at_work(folder: Path, far: FarEnd) -> Load:
    delays, leaving = list[float](), list[float]()
    counting = False

    def committed(record: Committed) -> None:
        if counting:
            delays.append((record.known - record.said) * 1000)
            leaving.append((record.left - record.said) * 1000)

    async with Tap(far.port, committed) as tap, agent(folder, far, tap.port, "busy", RATE) as edge:
        await asyncio.sleep(SETTLE_S)
        counting, before, hub_before = True, cpu_s(edge.pid), hub_cpu_s(far)
        await asyncio.sleep(LOADED_S)
        counting, used, hub_used = False, cpu_s(edge.pid) - before, hub_cpu_s(far) - hub_before
        occupied = memory(edge.pid)
    return Load(
        records=len(delays),
        cpu_ms_per_record=used / len(delays) * 1000,
        hub_cpu_ms_per_record=hub_used / len(delays) * 1000,
        memory=occupied,
        left_p50_ms=quantile(leaving, 0.5),
        p50_ms=quantile(delays, 0.5),
        p99_ms=quantile(delays, 0.99),
    )


def hub_cpu_s(far: FarEnd) -> float:
    """Return what the hub's own process has used, without its broker; NaN of a stand-in."""
    return cpu_s(far.hub.process.pid) if far.hub and far.hub.process else nan


async def measure(folder: Path) -> tuple[list[Rest], list[Load]]:
    async with stand_in(folder / "stand-in") as near, real_hub(folder / "real") as far:
        rests = await rest(folder, near, far)
    async with stand_in(folder / "stand-in-2") as near:
        loads = [await bare_at_work(near.port), await at_work(folder / "near", near)]
    async with real_hub(folder / "real-2") as far:
        loads.append(await at_work(folder / "far", far))
    return rests, loads


def report(rests: list[Rest], loads: list[Load]) -> None:
    tables.heading("Edge agent without cameras")
    tables.note(
        f"`python -m edge.process` with {DEVICES} devices of the load driver, watched {IDLE_S:.0f} s at rest and "
        f"{LOADED_S:.0f} s at {DEVICES * RATE:,.0f} records/s. The bare minimum carries the same records of the same "
        "devices by aiomqtt at QoS 1 and keeps nothing; its delay ends with the broker's PUBACK. The agent's delay "
        "ends when the hub's acknowledgement comes back over the wire, which it sends after the commit. The stand-in "
        "acknowledges on receipt, so that the hub's share is the difference."
    )
    base = loads[0].cpu_ms_per_record

    def resting(name: str, figure: Callable[[Rest], float], held: str) -> tuple[str, ...]:
        return name, *(f"{figure(each):.1f}" for each in rests), held

    def working(name: str, figure: Callable[[Load], float], held: str, places: int = 1) -> tuple[str, ...]:
        return name, *(words(figure(each), places) for each in loads), held

    tables.table(
        ("", "bare minimum", "agent, stand-in", "agent, real hub", "to hold"),
        [
            resting("at rest: resident memory (RSS), MB", lambda each: each.memory.rss, "<= 50"),
            resting("at rest: its share of shared pages (PSS), MB", lambda each: each.memory.pss, ""),
            (
                "at rest: processor, % of a core",
                *(f"{each.cpu_percent:.2f}" for each in rests),
                "<= 0.5",
            ),
            working("at work: records measured", lambda each: each.records, "", 0),
            working("at work: processor, ms per record", lambda each: each.cpu_ms_per_record, "<= 0.3", 3),
            working("at work: processor, x bare minimum", lambda each: each.cpu_ms_per_record / base, "", 2),
            working("at work: processor of the hub, ms per record", lambda each: each.hub_cpu_ms_per_record, "", 3),
            working("at work: resident memory (RSS), MB", lambda each: each.memory.rss, ""),
            working("record to leaving the box, on its disk, p50, ms", lambda each: each.left_p50_ms, ""),
            working("record to commit, p50, ms", lambda each: each.p50_ms, "<= 20"),
            working("record to commit, p99, ms", lambda each: each.p99_ms, "<= 200"),
        ],
    )


def words(figure: float, places: int) -> str:
    return "" if isnan(figure) else f"{figure:.{places}f}"


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="diwang-bench-") as folder:
        report(*asyncio.run(measure(Path(folder))))


if __name__ == "__main__":
    main()
