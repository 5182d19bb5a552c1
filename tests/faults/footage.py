"""Footage under fire: either side of an upload killed again and again, and a line that breaks every megabyte.

    python -m tests.faults.footage [--kills 50] [--mib 48] [--seed N]

The box's own carrying process brings a clip through a proxy to a strict server. Prints what arrived and how many bytes
went over the line for it; the exit status is 0 only when every clip has its hash and the traffic stayed below 1.3 times
its size (a kill costs at most the chunk that was under way, as does a cut).
"""

import argparse
import asyncio
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.simulators.fault_proxy import FaultProxy
from tests.simulators.footage_box import Carrying, FootageBox, noise
from tests.simulators.tus_server import TusServer, tus_server

MOST_TRAFFIC = 1.3
BYTES_A_KILL = 1 << 20
RATE = 12_000_000
PATIENCE_S = 600.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run came to."""

    what: str
    arrived: bool
    traffic: float
    hurt: int
    seconds: float

    @property
    def is_well(self) -> bool:
        return self.arrived and self.traffic <= MOST_TRAFFIC

    def __str__(self) -> str:
        word = "right" if self.arrived else "WRONG OR MISSING"
        return f"{self.what}: {self.hurt} times, hash {word}, traffic {self.traffic:.3f}x, {self.seconds:.0f} s"


async def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--kills", type=int, default=50)
    arguments.add_argument("--mib", type=int, default=48)
    arguments.add_argument("--seed", type=int, default=1)
    given = arguments.parse_args()
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="diwang-footage-") as folder:
        for number, hurt in enumerate((_kills, _cuts)):
            place = Path(folder) / str(number)
            place.mkdir()
            async with tus_server(place / "hub") as server, FaultProxy(server.port) as line:
                outcomes.append(await hurt(place, server, line, given))
                print(outcomes[-1], flush=True)
            if server.complaints:
                print(server.complaints)
                return 1
    return 0 if all(outcome.is_well for outcome in outcomes) else 1


async def _kills(place: Path, server: TusServer, line: FaultProxy, given: argparse.Namespace) -> Outcome:
    """Kill the two sides by turns, each time somewhere in the next megabyte."""
    chance = Random(given.seed)
    content = noise(max(given.mib << 20, given.kills * BYTES_A_KILL), given.seed)
    box = FootageBox(place / "box", line.port)
    clip = box.keep(content)
    line.set(rate=RATE)
    began = time.monotonic()
    carrying = await Carrying(box).start()
    kills = 0
    while kills < given.kills and clip.sha256 not in server.kept:
        await _passed(line, chance.randrange(BYTES_A_KILL // 8, BYTES_A_KILL), carrying)
        victim = server if kills % 2 else carrying
        await victim.kill()
        await victim.start()
        kills += 1
    line.clear()
    await _confirmed(carrying)
    await carrying.kill()
    arrived = server.kept == {clip.sha256: content}
    return Outcome("killed", arrived, line.counters.bytes_up / len(content), kills, time.monotonic() - began)


async def _cuts(place: Path, server: TusServer, line: FaultProxy, given: argparse.Namespace) -> Outcome:
    """Break every connection after a megabyte."""
    content = noise(given.mib << 20, given.seed + 1)
    box = FootageBox(place / "box", line.port)
    clip = box.keep(content)
    line.set(cut_after=1 << 20)
    began = time.monotonic()
    carrying = await Carrying(box).start()
    await _confirmed(carrying)
    await carrying.kill()
    arrived = server.kept == {clip.sha256: content}
    took_s = time.monotonic() - began
    return Outcome("cut", arrived, line.counters.bytes_up / len(content), line.counters.cuts, took_s)


async def _passed(line: FaultProxy, size: int, carrying: Carrying) -> None:
    """Wait until so many bytes more have gone up, starting the process again should it have given up."""
    goal = line.counters.bytes_up + size
    async with asyncio.timeout(PATIENCE_S):
        while line.counters.bytes_up < goal:
            if carrying.process is not None and carrying.process.returncode is not None:
                await carrying.start()
            await asyncio.sleep(0.01)


async def _confirmed(carrying: Carrying) -> None:
    """Wait for the hub's confirmation, starting the process again while the hub is away, as the agent does."""
    async with asyncio.timeout(PATIENCE_S):
        while await carrying.hear() is None:
            await carrying.end()
            await carrying.start()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
