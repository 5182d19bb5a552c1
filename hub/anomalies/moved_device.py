"""An installed device is no longer where it was registered."""

from collections.abc import Iterable

from msgspec import Struct, field
from msgspec.structs import replace

from hub.anomalies.circumstances import Circumstances, Site
from hub.anomalies.finding import Finding
from hub.anomalies.fixes import Fix, metres_between
from hub.anomalies.settings import LOCATION_MOVED, AnomaliesSettings


class MovedState(Struct):
    """The last fixes of an installed device, since when their median is away, and where it was last told to be."""

    latitudes: list[float] = field(default_factory=list)
    longitudes: list[float] = field(default_factory=list)
    away_since_us: int | None = None
    fast: int = 0
    fast_since_us: int = 0
    since_open: int = 0
    told: tuple[float, float] | None = None
    last: Fix | None = None
    open: Finding | None = None


class MovedDevice:
    """Median of 20 fixes beyond max(30 m, 3 sigma) for 5 min, or 3 m/s for 3 fixes; told again each 500 m."""

    def __init__(self, settings: AnomaliesSettings) -> None:
        self._rule = settings.moved
        self._hold_us = round(settings.moved.hold_s * 1e6)
        self._severity = settings.severities[LOCATION_MOVED]

    def inspect(self, state: MovedState, fix: Fix, around: Circumstances) -> Iterable[Finding]:
        """Judge the next fix of the track of an installed device; others have no site."""
        if around.site is None:
            return ()
        place = self._median(state, fix)
        self._count_speed(state, fix)
        state.last = fix
        if place is None:
            return self._fast(state, fix, around.site) if state.fast >= self._rule.speed_fixes else ()
        away = metres_between(*around.site, *place)
        margin = max(self._rule.margin_m, self._rule.sigmas * fix.sigma_m)
        if away <= margin:
            state.away_since_us = None
        elif state.away_since_us is None:
            state.away_since_us = fix.at_us
        if state.open is not None:
            return self._go_on(state, fix, place, away)
        if state.fast >= self._rule.speed_fixes:
            return self._fast(state, fix, around.site)
        if state.away_since_us is not None and fix.at_us - state.away_since_us >= self._hold_us:
            return (self._tell(state, fix, state.away_since_us, place, away),)
        return ()

    def _median(self, state: MovedState, fix: Fix) -> tuple[float, float] | None:
        state.latitudes.append(fix.latitude)
        state.longitudes.append(fix.longitude)
        count = self._rule.fixes
        if len(state.latitudes) < count:
            return None
        if len(state.latitudes) > count:
            del state.latitudes[:-count], state.longitudes[:-count]
        middle = count // 2
        return sorted(state.latitudes)[middle], sorted(state.longitudes)[middle]

    def _count_speed(self, state: MovedState, fix: Fix) -> None:
        speed = fix.speed_mps
        if speed is None:
            speed = 0.0 if state.last is None else _speed_mps(state.last, fix)
        if speed <= self._rule.speed_mps:
            state.fast = 0
            return
        if state.fast == 0:
            state.fast_since_us = fix.at_us
        state.fast += 1

    def _fast(self, state: MovedState, fix: Fix, site: Site) -> tuple[Finding, ...]:
        if state.open is not None:
            state.since_open += 1
            return ()
        away = metres_between(*site, fix.latitude, fix.longitude)
        return (self._tell(state, fix, state.fast_since_us, site, away),)

    def _tell(self, state: MovedState, fix: Fix, began_us: int, place: tuple[float, float], away: float) -> Finding:
        state.told, state.since_open = (place[0], place[1]), 0
        state.open = Finding(
            type=LOCATION_MOVED,
            severity=self._severity,
            began_us=began_us,
            decided_us=fix.at_us,
            summary=f"{away:,.0f} m",
            data={"metres": round(away, 1), "latitude": fix.latitude, "longitude": fix.longitude},
        )
        return state.open

    def _go_on(self, state: MovedState, fix: Fix, place: tuple[float, float], away: float) -> tuple[Finding, ...]:
        assert state.open is not None  # noqa: S101 - the caller asked
        assert state.told is not None  # noqa: S101 - set with `open`
        state.since_open += 1
        # A device that was driven off is back only when the whole median is of fixes after that.
        if state.away_since_us is None and state.fast == 0 and state.since_open >= self._rule.fixes:
            closed = replace(state.open, ended_us=fix.at_us)
            state.open = state.told = None
            return (closed,)
        if metres_between(*state.told, *place) < self._rule.again_m:
            return ()
        closed = replace(state.open, ended_us=fix.at_us)
        return closed, self._tell(state, fix, fix.at_us, place, away)


def _speed_mps(before: Fix, fix: Fix) -> float:
    seconds = (fix.at_us - before.at_us) / 1e6
    return metres_between(before.latitude, before.longitude, fix.latitude, fix.longitude) / seconds
