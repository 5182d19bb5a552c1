"""When a device was heard, by its own clock: stretches without a silence longer than its limit.

The stretches of a set of times do not depend on the order or the portions in which the times arrive, so a backlog
that comes late leaves the same silences as live data.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

Spans = list[tuple[int, int]]
"""Stretches (first, last), both heard, ordered, in microseconds since 1970-01-01 UTC."""


class Gap(NamedTuple):
    """A silence: last heard, and next heard or None when nothing has come yet."""

    since_us: int
    until_us: int | None


def heard(spans: Sequence[tuple[int, int]], times_us: Iterable[int], limit_us: int) -> Spans:
    """Return the stretches after these times as well were heard; neighbours at most `limit_us` apart become one."""
    found: Spans = []
    for since, until in sorted([*spans, *((at, at) for at in times_us)]):
        if found and since - found[-1][1] <= limit_us:
            found[-1] = (found[-1][0], max(found[-1][1], until))
        else:
            found.append((since, until))
    return found


def within(spans: Spans, horizon_us: int) -> Spans:
    """Return the stretches that reach to within the horizon of the newest; silences before are no longer judged."""
    if not spans:
        return spans
    oldest = spans[-1][1] - horizon_us
    return [span for span in spans if span[1] >= oldest]


def gaps(spans: Sequence[tuple[int, int]]) -> list[Gap]:
    """Return the silences between the stretches, and the one after the last."""
    closed = [Gap(before[1], after[0]) for before, after in pairwise(spans)]
    return [*closed, Gap(spans[-1][1], None)] if spans else closed


def overlap_us(spans: Sequence[tuple[int, int]], since_us: int, until_us: int) -> int:
    """Return for how long something was heard between two times."""
    return sum(max(min(until, until_us) - max(since, since_us), 0) for since, until in spans)
