"""What a process costs, from the kernel's own books, and the order statistics of what was seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

import psutil


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident megabytes (10^6 bytes). `pss` counts a page that n processes share as an n-th of itself."""

    rss: float
    pss: float


def memory(pid: int) -> Memory:
    """Return what a process occupies now."""
    found = psutil.Process(pid).memory_full_info()
    return Memory(found.rss / 1e6, found.pss / 1e6)


def cpu_s(pid: int) -> float:
    """Return the seconds of processor time that a process has used since its start, user and system."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value below which a share of the others lies; NaN when there are none."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else nan
