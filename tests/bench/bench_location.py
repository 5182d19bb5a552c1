"""What the location detectors cost and find: fixes per second on one core, and faults put into recordings.

    python -m tests.bench.bench_location

Prints the speed of the whole list and of the chain alone on the same fixes, and how many injected faults the chain
finds. Nothing passes or fails on them.
"""

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from math import cos, sin

import shapely

from hub.anomalies.chain import Chain, ChainState
from hub.anomalies.circumstances import Circumstances, Duties, Shift, Site
from hub.anomalies.finding import microseconds
from hub.anomalies.fixes import Fix
from hub.anomalies.settings import AnomaliesSettings
from hub.anomalies.track import TrackDetectors, TrackState
from hub.grids.index import GridIndex
from tests.simulators.tracks import Wander, displaced, faulted, recorded, standing

START = datetime(2026, 11, 24, 0, tzinfo=UTC)
FIXES, REPEATS, SEEDS = 20_000, 5, 40
SETTINGS = AnomaliesSettings()


def patrol(count: int) -> list[Fix]:
    """Return a noisy walk of an officer round a grid, a fix each 10 s, with a glitch every 500 fixes."""
    chance = random.Random(7)
    wander = Wander(chance, 5.0)
    fixes = []
    for number, fix in enumerate(standing(24.57, 118.10, START, count=count)):
        north, east = wander.after(10)
        walked = displaced(fix, 300 * sin(number / 40) + north, 300 * cos(number / 40) + east)
        fixes.append(displaced(walked, 900, 0) if number % 500 == 499 else walked)
    return fixes


def officer() -> Circumstances:
    """Return the circumstances of an officer on duty in a wiggly grid of 80 corners."""
    corners = [(118.1 + 0.006 * cos(n / 12.74), 24.57 + 0.006 * sin(n / 12.74)) for n in range(80)]
    since = microseconds(START)
    shifts = [Shift(since + day * 86_400_000_000, since + (day + 1) * 86_400_000_000, "g1") for day in range(400)]
    return Circumstances(duties=Duties(shifts), grids=GridIndex([("g1", shapely.Polygon(corners))]))


def per_second(run: Callable[[], object]) -> float:
    """Return fixes per second of the fastest of some runs: the machine is shared."""
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return FIXES / min(times)


def speed() -> None:
    """Print fixes per second."""
    fixes, around, detectors, chain = patrol(FIXES), officer(), TrackDetectors(SETTINGS), Chain(SETTINGS.chain)
    installed = Circumstances(site=Site(24.57, 118.10))

    def alone() -> None:
        state = ChainState()
        for fix in fixes:
            chain.take(state, fix)

    whole = per_second(lambda: detectors.fold(TrackState(), fixes, around))
    still = per_second(lambda: detectors.fold(TrackState(), fixes, installed))
    print(f"all detectors, officer's device    {whole:12,.0f} fixes/s")
    print(f"all detectors, installed device    {still:12,.0f} fixes/s")
    print(f"chain alone                        {per_second(alone):12,.0f} fixes/s")


def accuracy() -> None:
    """Print what the chain makes of faults in each recording."""
    print(f"{'recording':30} {'fixes':>6} {'recall':>7} {'precision':>9} {'good lost':>9} {'leaps':>9} {'false':>5}")
    total = [0] * 7
    for name, track in recorded().items():
        counts = [0] * 7
        for seed in range(SEEDS):
            for index, value in enumerate(outcome(track, random.Random(seed))):
                counts[index] += value
        total = [a + b for a, b in zip(total, counts, strict=True)]
        line(name, len(track), counts)
    line("all", 0, total)
    for name, track in recorded().items():
        dropped, hops = judged(track)
        print(f"as recorded, {name:30} dropped {len(dropped):3} of {len(track):5}, hops {len(hops)}")


def outcome(track: list[Fix], chance: random.Random) -> tuple[int, ...]:
    """Return true, missed and false glitches, good fixes, leaps found, leaps, false leaps of one faulted track."""
    made = faulted(track, chance)
    dropped, hops = judged(made.fixes)
    found = sum(any(leap == arrival for arrival in hops) for leap in made.leaps)
    good = len(made.fixes) - len(made.glitches)
    hit = len(dropped & made.glitches)
    return hit, len(made.glitches) - hit, len(dropped) - hit, good, found, len(made.leaps), len(hops) - found


def judged(fixes: list[Fix]) -> tuple[set[int], list[int]]:
    """Return the times of dropped fixes, and of the first fixes after hops."""
    chain, state = Chain(SETTINGS.chain), ChainState()
    dropped: set[int] = set()
    hops: list[int] = []
    for fix in fixes:
        verdict = chain.take(state, fix)
        dropped |= {glitch.at_us for glitch in verdict.glitches}
        hops += [hop.arrival.at_us for hop in verdict.hops]
    return dropped, hops


def line(name: str, fixes: int, counts: list[int]) -> None:
    """Print one row."""
    hit, missed, false, good, found, leaps, extra = counts
    recall, precision = hit / max(hit + missed, 1), hit / max(hit + false, 1)
    print(
        f"{name:30} {fixes:6} {recall:7.3f} {precision:9.3f} {false / max(good, 1):9.4f} {found:4}/{leaps:4} {extra:5}"
    )


if __name__ == "__main__":
    speed()
    accuracy()
