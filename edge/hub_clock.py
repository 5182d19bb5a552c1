"""What time the hub thinks it is: a box may have woken up without a clock battery."""

import asyncio
from collections import deque
from datetime import datetime, timedelta

from protocol.clock import Clock

_KEPT = 16


class HubClock:
    """The hub's wall time, estimated from the times in its acknowledgements.

    A message that travels makes the hub seem behind, never ahead, so the largest of the latest differences is the
    nearest to the truth; it is short by the fastest way from the hub to the box. `heard` is set once it has spoken.
    """

    def __init__(self, clock: Clock) -> None:
        self.heard = asyncio.Event()
        self._clock = clock
        self._heard: deque[timedelta] = deque(maxlen=_KEPT)

    def hear(self, hub_at: datetime) -> None:
        """Note the hub's time as it arrives."""
        self._heard.append(hub_at - self._clock.now())
        self.heard.set()

    def forget(self) -> None:
        """Start anew, after this box's own clock was set."""
        self._heard.clear()

    @property
    def offset_s(self) -> float | None:
        """Seconds to add to this box's wall time, None before the hub was heard."""
        return max(self._heard).total_seconds() if self._heard else None

    def now(self) -> datetime:
        """Return the hub's wall time as well as it is known, the box's own before the hub was heard."""
        return self._clock.now() + (max(self._heard) if self._heard else timedelta())
