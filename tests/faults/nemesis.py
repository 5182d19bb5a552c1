"""What is done to the programs: every fault by name, with how often it is chosen."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.faults.programs import Hub, Tmpfs
from tests.simulators.edge_process import EdgeProcess
from tests.simulators.fault_proxy import FaultProxy


@dataclass
class Bed:
    """Everything that can be hurt."""

    hub: Hub
    edges: dict[str, EdgeProcess]
    proxy: FaultProxy
    hub_disk: Tmpfs
    edge_disk: Tmpfs
    clock: Path
    chance: Random
    flowing: Callable[[], Awaitable[float]]
    """Wait until something new is stored; return the seconds since the call."""

    recoveries: dict[str, list[float]] = field(default_factory=dict)

    def recovered(self, fault: str, seconds: float) -> None:
        self.recoveries.setdefault(fault, []).append(seconds)


Fault = Callable[[Bed], Awaitable[None]]


async def kill_hub(bed: Bed) -> None:
    await bed.hub.end(signal.SIGKILL)
    await bed.hub.start()
    bed.recovered("kill_hub", await bed.flowing())


async def stop_hub(bed: Bed) -> None:
    await bed.hub.end(signal.SIGTERM)
    await bed.hub.start()
    bed.recovered("stop_hub", await bed.flowing())


async def kill_broker(bed: Bed) -> None:
    if bed.hub.kill_broker(wipe=False):
        bed.recovered("kill_broker", await bed.flowing())


async def wipe_broker(bed: Bed) -> None:
    if bed.hub.kill_broker(wipe=True):
        bed.recovered("wipe_broker", await bed.flowing())


async def kill_edge(bed: Bed) -> None:
    edge = bed.chance.choice(sorted(bed.edges.items()))[1]
    await edge.kill()
    await asyncio.sleep(bed.chance.uniform(0, 1))
    await edge.start()
    bed.recovered("kill_edge", await bed.flowing())


async def stop_edge(bed: Bed) -> None:
    edge = bed.chance.choice(sorted(bed.edges.items()))[1]
    assert await edge.end(signal.SIGTERM) == 0, "the agent does not stop cleanly"
    await edge.start()


async def kill_everything(bed: Bed) -> None:
    bed.hub.kill_broker(wipe=bool(bed.chance.getrandbits(1)))
    await asyncio.gather(bed.hub.end(signal.SIGKILL), *(edge.kill() for edge in bed.edges.values()))
    await asyncio.gather(bed.hub.start(), *(edge.start() for edge in bed.edges.values()))
    bed.recovered("kill_everything", await bed.flowing())


async def freeze_hub(bed: Bed) -> None:
    assert bed.hub.process is not None
    await _frozen(bed.hub.process.pid, bed.chance.uniform(1, 5))


async def freeze_broker(bed: Bed) -> None:
    if broker := bed.hub.broker():
        await _frozen(broker.pid, bed.chance.uniform(1, 5))


async def freeze_edge(bed: Bed) -> None:
    await _frozen(bed.chance.choice(sorted(bed.edges.items()))[1].pid, bed.chance.uniform(1, 5))


async def reset_links(bed: Bed) -> None:
    bed.proxy.reset()
    bed.recovered("reset_links", await bed.flowing())


async def half_open_links(bed: Bed) -> None:
    bed.proxy.set(blackhole=True)
    await asyncio.sleep(bed.chance.uniform(2, 8))
    bed.proxy.clear()


async def cut_links_midway(bed: Bed) -> None:
    bed.proxy.set(cut_after=bed.chance.randrange(200, 20_000))
    await asyncio.sleep(bed.chance.uniform(2, 5))
    bed.proxy.clear()


async def slow_links(bed: Bed) -> None:
    bed.proxy.set(latency_s=bed.chance.uniform(0.05, 0.5), jitter_s=0.05, slice=bed.chance.randrange(1, 200))
    await asyncio.sleep(bed.chance.uniform(2, 5))
    bed.proxy.clear()


async def links_down(bed: Bed) -> None:
    bed.proxy.set(down=True)
    bed.proxy.reset()
    await asyncio.sleep(bed.chance.uniform(2, 8))
    bed.proxy.clear()
    bed.recovered("links_down", await bed.flowing())


async def fill_hub_disk(bed: Bed) -> None:
    bed.hub_disk.fill()
    await asyncio.sleep(bed.chance.uniform(2, 5))
    bed.hub_disk.free()
    bed.recovered("fill_hub_disk", await bed.flowing())


async def fill_edge_disk(bed: Bed) -> None:
    bed.edge_disk.fill()
    await asyncio.sleep(bed.chance.uniform(2, 5))
    bed.edge_disk.free()


async def jump_clock(bed: Bed) -> None:
    """One box's wall clock jumps by a day or an hour, either way, and back after a while."""
    bed.clock.write_text(bed.chance.choice(["+86400", "-86400", "+3600", "-3600"]))
    await asyncio.sleep(bed.chance.uniform(1, 4))
    bed.clock.write_text("+0")


async def _frozen(pid: int, seconds: float) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(seconds)
        os.kill(pid, signal.SIGCONT)


FAULTS: dict[Fault, int] = {
    kill_hub: 4,
    stop_hub: 1,
    kill_broker: 3,
    wipe_broker: 2,
    kill_edge: 4,
    stop_edge: 1,
    kill_everything: 2,
    freeze_hub: 1,
    freeze_broker: 1,
    freeze_edge: 1,
    reset_links: 3,
    half_open_links: 2,
    cut_links_midway: 2,
    slow_links: 2,
    links_down: 2,
    fill_hub_disk: 2,
    fill_edge_disk: 2,
    jump_clock: 2,
}


def order(chance: Random) -> list[Fault]:
    """Return an endless enough sequence: each fault once first, in random order, then by weight."""
    first = list(FAULTS)
    chance.shuffle(first)
    return first + chance.choices(list(FAULTS), weights=list(FAULTS.values()), k=10_000)
