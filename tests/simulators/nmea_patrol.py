"""A GPS unit in a process of its own: `python -m tests.simulators.nmea_patrol [--port N] [--pace X] [--seed N]`.

Walks a round near 24.57 N 118.10 E, leaves it once, and prints the port on which it tells of it.
"""

import argparse
import asyncio

from diwang.demo.patrol import Walk, Waypoint, serve
from protocol.clock import SystemClock

SQUARE = (
    Waypoint(24.5700, 118.1000, pause_s=5),
    Waypoint(24.5700, 118.1012),
    Waypoint(24.5711, 118.1012, pause_s=20),
    Waypoint(24.5711, 118.1000),
)
AWAY = (Waypoint(24.5694, 118.1030), Waypoint(24.5690, 118.1040, pause_s=60))


async def walk(port: int, pace: float, seed: int) -> None:
    round_ = Walk(SQUARE, excursion=AWAY, excursion_after=1, seed=seed)
    async with serve(round_, SystemClock(), port=port, pace=pace) as bound:
        print(bound, flush=True)  # noqa: T201 - the caller reads it
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--pace", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    asyncio.run(walk(chosen.port, chosen.pace, chosen.seed))
