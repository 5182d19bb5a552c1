"""The newest value of every series, in memory, so that asking for it never touches the rows."""

from collections.abc import Iterable, Iterator
from math import isnan, nan
from threading import Lock
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hub.telemetry.columns import Rows

NEVER: Final = np.iinfo(np.int64).min


class Newest:
    """Series number -> newest value. Of two values at one instant the later stored one counts. Safe across threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._at_us: npt.NDArray[np.int64] = np.full(64, NEVER)
        self._numbers: npt.NDArray[np.float64] = np.full(64, nan)
        self._texts: dict[int, str] = {}

    def update(self, rows: Rows) -> None:
        """Take in what a commit stored."""
        if not len(rows.series):
            return
        with self._lock:
            self._reserve(int(rows.series.max()))
            self._update(rows)

    def put(self, series: int, at_us: int, value: float | str) -> None:
        """Take in one value as it was loaded."""
        with self._lock:
            self._reserve(series)
            if at_us < self._at_us[series]:
                return
            self._at_us[series] = at_us
            if isinstance(value, str):
                self._texts[series] = value
            else:
                self._numbers[series] = value

    def values(self, series: Iterable[int]) -> Iterator[tuple[int, float | str] | None]:
        """Yield (microseconds since 1970, value) for each series, None for one that holds nothing."""
        with self._lock:
            at_us, numbers, texts = self._at_us.copy(), self._numbers.copy(), self._texts.copy()
        for number in series:
            if number >= len(at_us) or at_us[number] == NEVER:
                yield None
            else:
                value = float(numbers[number])
                yield int(at_us[number]), texts[number] if isnan(value) else value

    def forget(self, series: int, before_us: int) -> None:
        """Drop a value that is older than a time."""
        with self._lock:
            if series < len(self._at_us) and self._at_us[series] < before_us:
                self._at_us[series] = NEVER
                self._texts.pop(series, None)

    def table(self) -> pa.Table:
        """Return everything as columns: series, instant, number, text."""
        with self._lock:
            held = np.flatnonzero(self._at_us != NEVER)
            at_us, numbers = self._at_us[held], self._numbers[held]
            texts: list[Any] = [self._texts.get(series) for series in held.tolist()]
        return pa.table(
            {
                "series": pa.array(held),
                "instant": pa.array(at_us).cast(pa.timestamp("us")),
                "number": pa.array(numbers, mask=np.isnan(numbers)),
                "text": pa.array(texts, pa.string()),
            }
        )

    def _update(self, rows: Rows) -> None:
        # Stable: of equal instants the last row of the commit comes last, and the last assignment below stands.
        order = np.argsort(rows.at_us, kind="stable")
        latest = np.full(len(self._at_us), -1)
        latest[rows.series[order]] = order
        seen = np.flatnonzero(latest >= 0)
        newer = seen[rows.at_us[latest[seen]] >= self._at_us[seen]]
        chosen = latest[newer]
        self._at_us[newer] = rows.at_us[chosen]
        self._numbers[newer] = rows.numbers[chosen]
        if rows.texts:
            for series, row in zip(newer.tolist(), chosen.tolist(), strict=True):
                if row in rows.texts:
                    self._texts[series] = rows.texts[row]

    def _reserve(self, series: int) -> None:
        if series < len(self._at_us):
            return
        room = max(series + 1, 2 * len(self._at_us)) - len(self._at_us)
        self._at_us = np.concatenate([self._at_us, np.full(room, NEVER)])
        self._numbers = np.concatenate([self._numbers, np.full(room, nan)])
