"""An open scanner: bytes in, scans out."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator
from typing import Final

import msgspec

from drivers.contract import Health, Raw, Report
from drivers.lines import Line
from drivers.scanner import codes
from drivers.scanner.framing import Framing
from drivers.scanner.options import ScannerOptions
from protocol.clock import Clock
from protocol.errors import DeviceUnreachableError
from protocol.messages import Event, EventState, Reading, Severity, Value

SCAN: Final = "scanner.scan"
_REMEMBERED: Final = 1_000
"""Codes whose last scan is remembered: many more than anybody scans in turns."""


class Scanner:
    """A `Reports` driver. Each scan is an instant event `scanner.scan` whose data are the fields of `codes.Code`.

    A scanner at rest is silent, so silence says nothing of it; it is lost when its line breaks.
    """

    def __init__(self, device: str, line: Line, framing: Framing, options: ScannerOptions, clock: Clock) -> None:
        self.device = device
        self._line = line
        self._framing = framing
        self._options = options
        self._clock = clock
        self._seen: OrderedDict[bytes, float] = OrderedDict()
        self._repeated = 0
        self._counters_at = clock.monotonic() + options.counters_every_s

    async def reports(self) -> AsyncIterator[Report | Health | Raw]:
        """Yield what is scanned.

        Raises DeviceUnreachableError when the line breaks, after what was scanned before that.
        """
        while True:
            lost: DeviceUnreachableError | None = None
            try:
                piece = await self._piece()
            except DeviceUnreachableError as error:
                piece, lost = None, error
            for scan in self._scans(piece):
                if not self._is_repeat(scan):
                    yield Report(self._event(scan))
            if lost is not None or self._clock.monotonic() >= self._counters_at:
                yield Report(self._counters())
            if lost is not None:
                raise lost

    async def _piece(self) -> bytes | None:
        """Return the next bytes, or None when the line was quiet for as long as matters now."""
        until_counters_s = max(self._counters_at - self._clock.monotonic(), 0.0)
        wait_s = min(self._options.pause_s, until_counters_s) if self._framing.waits else until_counters_s
        try:
            async with asyncio.timeout(wait_s):
                piece = await self._line.read()
        except TimeoutError:
            return None
        if not piece:
            raise DeviceUnreachableError(f"the line of {self.device} is closed")
        return piece

    def _scans(self, piece: bytes | None) -> Iterator[bytes]:
        return self._framing.close() if piece is None else self._framing.feed(piece)

    def _is_repeat(self, scan: bytes) -> bool:
        within_s = self._options.repeat_within_s
        if within_s == 0:
            return False
        now = self._clock.monotonic()
        before = self._seen.pop(scan, None)
        self._seen[scan] = now
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        repeat = before is not None and now - before < within_s
        self._repeated += repeat
        return repeat

    def _event(self, scan: bytes) -> Event:
        return Event(
            device=self.device,
            at=self._clock.now(),
            type=SCAN,
            severity=Severity.INFO,
            id=self._clock.new_id(),
            state=EventState.INSTANT,
            data=msgspec.json.decode(
                msgspec.json.encode(codes.read(scan))
            ),  # as the wire will have it: lists, not tuples
        )

    def _counters(self) -> Reading:
        self._counters_at = self._clock.monotonic() + self._options.counters_every_s
        counts = {"scans_repeated": self._repeated, **self._framing.counts}
        values: dict[str, Value] = {name: float(count) for name, count in counts.items()}
        return Reading(device=self.device, at=self._clock.now(), values=values)
