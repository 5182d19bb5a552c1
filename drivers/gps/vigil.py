"""Watching over a receiver: how long it may be silent, how long without a fix, when its counters are due."""

from typing import Final

from drivers.contract import Health
from drivers.gps.options import GpsOptions, Recording
from protocol.clock import Clock
from protocol.messages import DeviceState

# An epoch is over when the line is silent for this long; receivers pause at most some tens of milliseconds within one.
QUIET_S: Final = 0.3


class Vigil:
    """Deadlines on the monotonic clock of the box, so that a step of the wall clock changes nothing."""

    def __init__(self, options: GpsOptions, clock: Clock) -> None:
        self._clock = clock
        self._no_fix_after_s = options.no_fix_after_s
        self._counters_every_s = options.counters_every_s
        self._silent_after_s = None if isinstance(options.source, Recording) else options.silent_after_s
        self._heard = self._fixed = self._counted = clock.monotonic()
        self._degraded = False

    def wait_s(self, *, epoch_open: bool) -> float:
        """Return how long to wait for bytes before something else is due."""
        deadlines = [self._counted + self._counters_every_s]
        if self._silent_after_s is not None:
            deadlines.append(self._heard + self._silent_after_s)
        if not self._degraded:
            deadlines.append(self._fixed + self._no_fix_after_s)
        wait = max(0.0, min(deadlines) - self._clock.monotonic())
        return min(wait, QUIET_S) if epoch_open else wait

    def heard(self) -> None:
        """Note that bytes came."""
        self._heard = self._clock.monotonic()

    def silent(self) -> bool:
        """Whether the receiver has been silent for too long to be there."""
        return self._silent_after_s is not None and self._elapsed(self._heard) >= self._silent_after_s

    def fixed(self) -> Health | None:
        """Note a valid fix; return the news if the receiver was degraded."""
        self._fixed = self._clock.monotonic()
        was, self._degraded = self._degraded, False
        return Health(DeviceState.OK) if was else None

    def overdue(self, reason: str, satellites: int) -> Health | None:
        """Return the news, once, when there has been no valid fix for too long."""
        if self._degraded or self._elapsed(self._fixed) < self._no_fix_after_s:
            return None
        self._degraded = True
        why = f" ({reason})" if reason else ""
        heard = f"; {satellites} satellites heard" if satellites else "; no satellite heard"
        return Health(DeviceState.DEGRADED, f"no valid fix for {self._no_fix_after_s:g} s{why}{heard}")

    def counters_due(self) -> bool:
        """Whether it is time to report the counters; saying yes starts the next period."""
        if self._elapsed(self._counted) < self._counters_every_s:
            return False
        self._counted = self._clock.monotonic()
        return True

    def _elapsed(self, since: float) -> float:
        return self._clock.monotonic() - since
