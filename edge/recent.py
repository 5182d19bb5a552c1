"""What the devices said last, for whoever stands before the box: fixes before they are thinned, and receipts."""

import asyncio
from collections import deque
from datetime import timedelta
from typing import Final

from drivers.contract import Report
from protocol.messages import Position, Receipt

FIXES: Final = 60
_RECEIPTS: Final = 20
_APART: Final = timedelta(seconds=0.9)
"""Fixes closer together add bytes, but nothing to their mean."""


class Recent:
    """The last fixes of each device, about one a second, and the last receipts; `changed` is set by a receipt."""

    def __init__(self, changed: asyncio.Event) -> None:
        self._changed = changed
        self._fixes: dict[str, deque[Position]] = {}
        self._receipts: deque[Receipt] = deque(maxlen=_RECEIPTS)

    def hear(self, report: Report) -> None:
        """Take note of a report."""
        record = report.record
        if isinstance(record, Position):
            fixes = self._fixes.setdefault(record.device, deque(maxlen=FIXES))
            if not fixes or abs(record.at - fixes[-1].at) >= _APART:
                fixes.append(record)
        elif isinstance(record, Receipt):
            self._receipts.append(record)
            self._changed.set()

    @property
    def fixes(self) -> dict[str, tuple[Position, ...]]:
        """By device, the oldest first."""
        return {device: tuple(fixes) for device, fixes in self._fixes.items()}

    @property
    def receipts(self) -> tuple[Receipt, ...]:
        """Of all devices, the oldest first."""
        return tuple(self._receipts)
