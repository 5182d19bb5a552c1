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
from tests.bench import tables
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
    chained = per_second(alone)
    tables.note(f"{FIXES:,} fixes of one device on one core, best of {REPEATS}. To hold: >= 20,000 fixes/s.")
    tables.table(
        ("", "fixes/s", "of the chain alone"),
        [
            ("chain alone (jumps and glitches)", f"{chained:,.0f}", "1.00"),
            ("all detectors, a device that an officer carries", f"{whole:,.0f}", f"{whole / chained:.2f}"),
            ("all detectors, an installed device", f"{still:,.0f}", f"{still / chained:.2f}"),
        ],
    )


def accuracy() -> None:
    """Print what the chain makes of faults in each recording."""
    rows = []
    total = [0] * 7
    for name, track in recorded().items():
        counts = [0] * 7
        for seed in range(SEEDS):
            for index, value in enumerate(outcome(track, random.Random(seed))):
                counts[index] += value
        total = [a + b for a, b in zip(total, counts, strict=True)]
        dropped, hops = judged(track)
        rows.append((name, f"{len(track):,}", *cells(counts), f"{len(dropped)}, {len(hops)}"))
    rows.append(("all", "", *cells(total), ""))
    tables.note(
        f"Glitches and leaps put into each recording, {SEEDS} times at random, and what the chain makes of them. The "
        "last column is what it drops and which leaps it sees in the recording as it is."
    )
    judged_words = ("recall", "precision", "good lost", "leaps found", "leaps invented", "dropped, leaps as recorded")
    tables.table(("recording", "fixes", *judged_words), rows)


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


def cells(counts: list[int]) -> tuple[str, ...]:
    """Return the figures of one recording."""
    hit, missed, false, good, found, leaps, extra = counts
    recall, precision = hit / max(hit + missed, 1), hit / max(hit + false, 1)
    return f"{recall:.3f}", f"{precision:.3f}", f"{false / max(good, 1):.4f}", f"{found} of {leaps}", f"{extra}"


def main() -> None:
    tables.heading("Location detectors")
    speed()
    accuracy()


if __name__ == "__main__":
    main()
