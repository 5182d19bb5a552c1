"""An officer's device left the grid that the roster assigns, by more than its receiver may err."""

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from hub.anomalies.circumstances import Circumstances
from hub.anomalies.finding import Finding
from hub.anomalies.fixes import Fix
from hub.anomalies.settings import LOCATION_OUTSIDE, AnomaliesSettings


class OutsideState(Struct):
    """A run of fixes outside, and the exit that it made, if it made one."""

    run: int = 0
    run_began_us: int = 0
    farthest_m: float = 0.0
    open: Finding | None = None


class OutsideGrid:
    """Exit after six consecutive fixes (or 60 s of them) beyond max(30 m, 2 sigma); re-entry at the line itself."""

    def __init__(self, settings: AnomaliesSettings) -> None:
        self._rule = settings.outside
        self._span_us = round(settings.outside.span_s * 1e6)
        self._severity = settings.severities[LOCATION_OUTSIDE]

    def inspect(self, state: OutsideState, fix: Fix, around: Circumstances) -> Iterable[Finding]:
        """Judge the next fix of the track; off duty nobody is outside of anything."""
        if around.duties is None:
            return ()
        away = around.metres_outside(fix.at_us, fix.latitude, fix.longitude)
        if not away:
            state.run = 0
            return () if state.open is None else (_closed(state, fix),)
        state.farthest_m = max(state.farthest_m, away)
        if state.open is not None:
            return ()
        if away <= self._rule.margin_m or away <= self._rule.sigmas * fix.sigma_m:
            state.run, state.farthest_m = 0, 0.0
            return ()
        if state.run == 0:
            state.run_began_us = fix.at_us
        state.run += 1
        if state.run < self._rule.fixes and fix.at_us - state.run_began_us < self._span_us:
            return ()
        state.open = Finding(
            type=LOCATION_OUTSIDE,
            severity=self._severity,
            began_us=state.run_began_us,
            decided_us=fix.at_us,
            summary=f"{away:,.0f} m",
            data={"metres": round(away, 1), "latitude": fix.latitude, "longitude": fix.longitude},
        )
        return (state.open,)


def _closed(state: OutsideState, fix: Fix) -> Finding:
    assert state.open is not None  # noqa: S101 - the caller asked
    data = state.open.data | {"farthest_m": round(state.farthest_m, 1)}
    closed = replace(state.open, ended_us=fix.at_us, data=data)
    state.open, state.farthest_m = None, 0.0
    return closed
