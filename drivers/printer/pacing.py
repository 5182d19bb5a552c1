"""How fast a printer may be sent to: its acknowledgement of a write is no room in its buffer."""

from protocol.clock import Clock


class Pacer:
    """Counts how many bytes the printer is behind, as it prints at a known rate.

    At most `lead_bytes` are ever ahead of it, also after a pause of the line: what was not sent is not made up for.
    """

    def __init__(self, bytes_per_second: float, lead_bytes: int, clock: Clock) -> None:
        self._rate, self._lead, self._clock = bytes_per_second, lead_bytes, clock
        self._ahead, self._at = 0.0, clock.monotonic()

    @property
    def largest(self) -> int:
        """Bytes that can be sent at once."""
        return self._lead

    def wait_s(self, size: int) -> float:
        """Return how long to wait before `size` bytes, at most `largest`, may be sent."""
        return max(0.0, (self._now_ahead() + size - self._lead) / self._rate)

    def sent(self, size: int) -> None:
        """Note that so many bytes went out."""
        self._ahead = self._now_ahead() + size
        self._at = self._clock.monotonic()

    def _now_ahead(self) -> float:
        return max(0.0, self._ahead - (self._clock.monotonic() - self._at) * self._rate)
