"""Epochs to position records, in order: dated, compared with what came before, and accounted for when refused."""

from collections import Counter
from datetime import datetime
from typing import Final

from drivers.gps.dating import Dating
from drivers.gps.epochs import Epoch
from drivers.gps.fix import Denial, Fix, conclude
from drivers.gps.ordering import TIME_RESET, Ordering, Step
from protocol.messages import Position

UNDATED: Final = "undated"
REFUSALS: Final = ("no_fix", "contradictory", UNDATED, Step.DUPLICATE.value, Step.BACKWARDS.value)


class Positions:
    """The positions of one receiver.

    `refused` counts the epochs that gave none: `no_fix`, `contradictory` (two places in one epoch), `undated` (no date
    known yet), `duplicates` and `backwards`. `reason` says in words why the latest epoch that spoke of a position had
    none; it is empty after one that had.
    """

    def __init__(self, device: str) -> None:
        self.refused: Counter[str] = Counter(dict.fromkeys(REFUSALS, 0))
        self.reason = ""
        self._device = device
        self._dating = Dating()
        self._ordering = Ordering()

    def of(self, epoch: Epoch, box: datetime) -> Position | None:
        """Return the position of this epoch, if it has one; `box` is the wall time of the box."""
        found = conclude(epoch.statements)
        if isinstance(found, Denial):
            self._refuse(found.count, found.reason)
        if not isinstance(found, Fix):
            return None
        since_midnight = epoch.since_midnight
        dated = None if since_midnight is None else self._dating.date(since_midnight, epoch.day, box)
        if dated is None:
            self._refuse(UNDATED, "the date is not known yet")
            return None
        at, flags = dated
        step = self._ordering.judge(at)
        if step in {Step.DUPLICATE, Step.BACKWARDS}:
            self._refuse(step.value, f"{at.isoformat()} is not after the fix before")
            return None
        self.reason = ""
        return _record(self._device, at, found, (*flags, TIME_RESET) if step is Step.RESET else flags)

    def _refuse(self, count: str, reason: str) -> None:
        self.refused[count] += 1
        self.reason = reason


def _record(device: str, at: datetime, fix: Fix, flags: tuple[str, ...]) -> Position:
    return Position(
        device=device,
        at=at,
        latitude=fix.place.latitude,
        longitude=fix.place.longitude,
        altitude_m=fix.altitude_m,
        speed_mps=fix.speed_mps,
        course_deg=fix.course_deg,
        hdop=fix.hdop,
        satellites=fix.satellites,
        quality=fix.quality,
        sigma_m=fix.sigma_m,
        cn0_mean_db=fix.cn0_mean_db,
        cn0_spread_db=fix.cn0_spread_db,
        flags=flags,
    )
