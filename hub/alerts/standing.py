"""What the anomalies that an alert has counted, and that were not withdrawn, come to."""

from datetime import datetime
from typing import NamedTuple, Self

from hub.alerts.model import AlertRow


class Standing(NamedTuple):
    """How many stand, when the first began, when the last was seen, and whether all are over."""

    number: int
    began_at: datetime | None
    last_seen_at: datetime | None
    over: bool

    @classmethod
    def of(cls, alert: AlertRow) -> Self:
        """Return what an alert says of its anomalies."""
        ended = alert.condition_ended_at is not None
        return cls(alert.times_seen, alert.began_at, alert.last_seen_at, ended)

    def with_one_more(self, began_at: datetime, ended_at: datetime | None) -> "Standing":
        """Return what they come to with another one."""
        seen_at, over = ended_at or began_at, ended_at is not None
        if self.number == 0 or self.began_at is None or self.last_seen_at is None:
            return Standing(1, began_at, seen_at, over)
        first_at, last_at = min(self.began_at, began_at), max(self.last_seen_at, seen_at)
        return Standing(self.number + 1, first_at, last_at, self.over and over)
