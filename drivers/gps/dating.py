"""Which instant an epoch is of: dates that only some sentences carry, midnight, and weeks that begin again at zero."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final

DATE_ROLLOVER: Final = "date_rollover"
DATE_ASSUMED: Final = "date_assumed"

# The week number that satellites send has ten bits (IS-GPS-200, 20.3.3.3.1.1): every 1024 weeks a receiver whose
# firmware is too old falls back by that much, to the same time of day.
_ERA: Final = timedelta(weeks=1024)
_ERAS: Final = (1, 2)
_TOLERANCE: Final = timedelta(days=1)
_HALF_DAY: Final = timedelta(hours=12)
_DAY: Final = timedelta(days=1)
# A receiver that sends dates sends one with each fix; only one that never does is dated by the box.
_UNDATED_BEFORE_ASSUMING: Final = 5


class Dating:
    """Dates the epochs of one receiver, in the order in which they came.

    An epoch without a date gets that of the one before, or the next one when the time of day fell by more than 12 h.
    A receiver that never sends a date (GGA or GLL alone) is dated by the box's clock from its sixth epoch on, which is
    flagged `date_assumed`. A date that is 1024 or 2048 weeks behind the box's clock, to within a day, is corrected and
    flagged `date_rollover`: then the receiver's firmware is too old, not the fix.
    """

    def __init__(self) -> None:
        self._last: datetime | None = None
        self._assumed = False
        self._undated = 0

    def date(
        self, since_midnight: timedelta, day: date | None, box: datetime
    ) -> tuple[datetime, tuple[str, ...]] | None:
        """Return the UTC instant and its flags; None when the date cannot be known yet."""
        if day is not None:
            self._assumed = False
            at = _midnight(day) + since_midnight
        elif self._last is not None:
            at = _nearest(self._last, since_midnight)
        elif self._undated < _UNDATED_BEFORE_ASSUMING:
            self._undated += 1
            return None
        else:
            self._assumed = True
            at = _nearest(box, since_midnight)
        self._last = at
        if self._assumed:
            return at, (DATE_ASSUMED,)
        for eras in _ERAS:
            if abs(box - at - eras * _ERA) <= _TOLERANCE:
                return at + eras * _ERA, (DATE_ROLLOVER,)
        return at, ()


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _nearest(to: datetime, since_midnight: timedelta) -> datetime:
    """Return the instant with this time of day that is at most 12 h away."""
    at = _midnight(to.date()) + since_midnight
    if at < to - _HALF_DAY:
        return at + _DAY
    return at - _DAY if at > to + _HALF_DAY else at
