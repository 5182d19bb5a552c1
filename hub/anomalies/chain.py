"""The longest consistent chain: which fixes belong to one track, which are glitches, and where the track jumped.

A dynamic programme over the last twelve fixes. A kept fix scores 1, a step between kept fixes that is not plausible
costs 5.5: a run of up to five fixes elsewhere is dropped as a glitch, a place that holds six is where the device is
now. So neither a bad first fix nor a real leap can lock a device out, as comparing with the last accepted fix does.

While every fix follows plausibly from the one before, the newest is at once the end of the best chain and is given out
without delay. When one does not, fixes wait until the newest again ends the best chain.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct, field

from hub.anomalies.fixes import Fix, metres_between
from hub.anomalies.settings import ChainThresholds

LAG: Final = 12
_MEDIAN_REACH: Final = 7
_KEPT: Final = LAG + _MEDIAN_REACH
_TRIMMED_AT: Final = 2 * _KEPT
_PATIENCE_S: Final = 60.0
_MICRO: Final = 1e-6


class Link(Struct, array_like=True):
    """A fix in the chain: speed of the hop that led to it, score of the best chain that ends in it, its predecessor.

    `back` counts fixes back to the predecessor (0: the chain starts here); `leapt` says that this step is not
    plausible, `given` that the fix has been given out.
    """

    fix: Fix
    hop_mps: float
    score: float
    back: int = 0
    leapt: bool = False
    given: bool = False


class ChainState(Struct):
    """The recent fixes of one device; the last `waiting` of them are not judged yet."""

    links: list[Link] = field(default_factory=list)
    waiting: int = 0
    settled: bool = False


class Hop(Struct, frozen=True):
    """A step that is not plausible, between two places that each held."""

    origin: Fix
    arrival: Fix
    metres: float
    speed_mps: float


class Verdict(Struct, frozen=True):
    """What one more fix settled: fixes of the track (in order), glitches, and hops that led to some of the fixes."""

    track: Sequence[Fix] = ()
    glitches: Sequence[Fix] = ()
    hops: Sequence[Hop] = ()


_NOTHING: Final = Verdict()


class Chain:
    """The rule with its thresholds. State is handed in and changed in place."""

    def __init__(self, thresholds: ChainThresholds) -> None:
        self._fastest = thresholds.fastest_mps
        self._factor = thresholds.speed_factor
        self._spare = thresholds.speed_spare_mps
        self._acceleration = thresholds.acceleration_mps2
        self._acceleration_s = thresholds.acceleration_s
        self._sigmas = thresholds.sigmas
        self._cost = thresholds.step_cost

    def take(self, state: ChainState, fix: Fix) -> Verdict:
        """Add the next fix in order of time; one that is not later than the last is passed over."""
        links = state.links
        if not links:
            links.append(Link(fix, 0.0, 1.0))
            state.waiting = 1
            return _NOTHING
        last = links[-1]
        before = last.fix
        seconds = (fix.at_us - before.at_us) * _MICRO
        if seconds <= 0.0:
            return _NOTHING
        metres = metres_between(before.latitude, before.longitude, fix.latitude, fix.longitude)
        link = Link(fix, metres / seconds, last.score + 1.0, 1)
        links.append(link)
        if state.settled and not state.waiting and self._follows(links, metres, seconds):
            link.given = True
            if len(links) > _TRIMMED_AT:
                del links[:-_KEPT]
            return Verdict((fix,))
        state.waiting += 1
        return self._judge(state)

    def _follows(self, links: list[Link], metres: float, seconds: float) -> bool:
        """Whether the newest fix follows plausibly from the one before; needs the median only when it is not slow."""
        newest, before = links[-1].fix, links[-2].fix
        sigma = max(before.sigma_m, newest.sigma_m)
        reach = metres - self._sigmas * sigma - self._acceleration * min(seconds, self._acceleration_s) ** 2
        if reach <= min(self._fastest, self._spare) * seconds:
            return True
        return reach <= self._limit_mps(_median_mps(links, len(links) - 1)) * seconds

    def _limit_mps(self, median_mps: float) -> float:
        return min(self._fastest, self._factor * median_mps + self._spare)

    def _judge(self, state: ChainState) -> Verdict:
        """Score what waits, with the speeds of its neighbours on both sides, and settle it if the newest fix wins."""
        links = state.links
        first = len(links) - state.waiting
        for index in range(first, len(links)):
            self._score(links, index)
        newest = links[-1]
        wins = all(newest.score > link.score for link in links[-LAG - 1 : -1])
        if wins and (state.settled or newest.score > self._cost) and (_unbroken(state) or self._waited(state)):
            return self._settle(state)
        if state.waiting > LAG:
            state.waiting -= 1
            given_up = links[-state.waiting - 1]
            _trim(state)
            return Verdict(glitches=(given_up.fix,))
        return _NOTHING

    def _waited(self, state: ChainState) -> bool:
        """Whether enough is known to drop a fix: setting off looks like a glitch until its neighbours move as well."""
        oldest, newest = state.links[-state.waiting].fix, state.links[-1].fix
        return state.waiting > _MEDIAN_REACH or (newest.at_us - oldest.at_us) * _MICRO >= _PATIENCE_S

    def _score(self, links: list[Link], index: int) -> None:
        link = links[index]
        limit_mps = self._limit_mps(_median_mps(links, index))
        best, back, leapt = 1.0, 0, False
        for other in range(index - 1, max(index - LAG, 0) - 1, -1):
            score = links[other].score + 1.0
            if score <= best:
                continue
            if not self._plausible(links[other].fix, link.fix, limit_mps):
                if score - self._cost > best:
                    best, back, leapt = score - self._cost, index - other, True
                continue
            best, back, leapt = score, index - other, False
        link.score, link.back, link.leapt = best, back, leapt

    def _plausible(self, origin: Fix, arrival: Fix, limit_mps: float) -> bool:
        seconds = (arrival.at_us - origin.at_us) * _MICRO
        metres = metres_between(origin.latitude, origin.longitude, arrival.latitude, arrival.longitude)
        sigma = max(origin.sigma_m, arrival.sigma_m)
        spurt = self._acceleration * min(seconds, self._acceleration_s) ** 2
        if origin.speed_mps is not None and arrival.speed_mps is not None:
            # Doppler speeds owe nothing to the positions: setting off after a stop is believed at once.
            limit_mps = max(limit_mps, self._limit_mps((origin.speed_mps + arrival.speed_mps) / 2))
        return metres <= limit_mps * seconds + spurt + self._sigmas * sigma

    def _settle(self, state: ChainState) -> Verdict:
        links = state.links
        path: list[int] = []
        index = len(links) - 1
        while not links[index].given:
            path.append(index)
            if links[index].back == 0 or links[index].back > index:
                break
            index -= links[index].back
        path.reverse()
        hops = [_hop(links[at - links[at].back].fix, links[at].fix) for at in path if links[at].leapt]
        # What a settled path goes round is dropped, also fixes that were given out before it was known.
        start = index if links[index].given else len(links) - state.waiting - 1
        bypassed = [links[at].fix for at in range(start + 1, len(links)) if at not in path]
        for at in path:
            links[at].given = True
        track = [links[at].fix for at in path]
        state.waiting, state.settled = 0, True
        _trim(state)
        return Verdict(track, bypassed, hops)


def _unbroken(state: ChainState) -> bool:
    """Whether the best chain keeps every fix that waits."""
    return all(link.back == 1 for link in state.links[-state.waiting :])


def _hop(origin: Fix, arrival: Fix) -> Hop:
    metres = metres_between(origin.latitude, origin.longitude, arrival.latitude, arrival.longitude)
    return Hop(origin, arrival, metres, metres / ((arrival.at_us - origin.at_us) * _MICRO))


def _median_mps(links: list[Link], index: int) -> float:
    """Median of the hop speeds of up to seven fixes on each side; the first fix of all has no hop."""
    speeds = sorted([link.hop_mps for link in links[max(index - _MEDIAN_REACH, 0) : index + _MEDIAN_REACH + 1]])
    return speeds[len(speeds) // 2]


def _trim(state: ChainState) -> None:
    spare = len(state.links) - _KEPT - state.waiting
    if spare > _KEPT:
        del state.links[:spare]
