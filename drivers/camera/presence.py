"""Whether pictures come: judged by the agent, because a process that hangs cannot say so."""

from dataclasses import dataclass

from drivers.camera.options import CameraOptions
from protocol.messages import EventState, Severity

STALLED, OFFLINE = "camera.stalled", "camera.offline"
SEVERITY = {STALLED: Severity.MINOR, OFFLINE: Severity.MAJOR}
GAP_S = 3.0
"""Pictures are counted every second; a longer gap between two counts that grew breaks a steady run."""


@dataclass(frozen=True, slots=True)
class Change:
    """An event of presence that begins or ends."""

    kind: str
    state: EventState


class Presence:
    """Follows one camera on a clock that never goes back; every method takes that clock's seconds.

    A stalled camera is connected but shows nothing; one that is offline has shown nothing for long, whatever the cause.
    Going offline ends the stall, so that at most one of them is open.
    """

    def __init__(self, options: CameraOptions, open_types: frozenset[str], now: float) -> None:
        self._options = options
        self._open = {kind for kind in (STALLED, OFFLINE) if kind in open_types}
        self._last = now
        self._steady_since: float | None = None
        self._deadline = now
        self._is_connected = False

    @property
    def was_steady(self) -> bool:
        """Whether the last connection showed pictures long enough to count as one."""
        return self._steady_since is not None and self._last - self._steady_since >= self._options.recovered_after_s

    def attempt(self, now: float) -> None:
        """A new connection is being made."""
        self._deadline = now + self._options.first_picture_s
        self._steady_since, self._is_connected = None, False

    def connected(self) -> None:
        """The source is open and says what its pictures will be."""
        self._is_connected = True

    def picture(self, now: float) -> list[Change]:
        """Pictures came; return what ends by it."""
        if self._steady_since is None or now - self._last > GAP_S:
            self._steady_since = now
        self._last = now
        self._deadline = now + self._options.silence_s
        return self._end_all() if now - self._steady_since >= self._options.recovered_after_s else []

    def overdue(self, now: float) -> bool:
        """Whether this connection has been silent for too long."""
        return now >= self._deadline

    def dropped(self) -> list[Change]:
        """The connection was dropped for its silence; return what begins by it."""
        return [] if self._open or not self._is_connected else [self._begin(STALLED)]

    def check(self, now: float) -> list[Change]:
        """Return what begins and ends because no picture has come for so long."""
        if self.gone_in_s(now) or OFFLINE in self._open:
            return []
        return [*self._end_all(), self._begin(OFFLINE)]

    def gone_in_s(self, now: float) -> float:
        """Return the seconds until the camera counts as gone if it shows nothing; 0 when it does."""
        return max(0.0, self._last + self._options.offline_after_s - now)

    def wait_s(self, now: float) -> float:
        """Return the seconds after which something is due if nothing is heard."""
        silent_in = max(0.0, self._deadline - now)
        return silent_in if OFFLINE in self._open else min(silent_in, self.gone_in_s(now))

    def _end_all(self) -> list[Change]:
        ended = [Change(kind, EventState.ENDED) for kind in sorted(self._open)]
        self._open.clear()
        return ended

    def _begin(self, kind: str) -> Change:
        self._open.add(kind)
        return Change(kind, EventState.BEGAN)
