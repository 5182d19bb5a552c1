"""One thermometer as the agent sees it: readings, an event when its cabinet leaves the limits, a weak battery."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Final

from drivers.contract import Health, Report
from drivers.episodes import Episodes
from drivers.thermometer.limits import Turn, Watch
from drivers.thermometer.options import ThermometerOptions
from drivers.thermometer.sources import Measurement, Source
from protocol.clock import Clock
from protocol.errors import DeviceUnreachableError
from protocol.messages import DeviceState, Event, EventState, Reading, Severity, Value

OUT_OF_RANGE: Final = "thermometer.out_of_range"
_BATTERY: Final = "battery_percent"
_BATTERY_LOW_PERCENT: Final = 10.0


class Thermometer:
    """An open thermometer: `Reports` and `Releases`. The event keeps its id across restarts of the box."""

    def __init__(self, device: str, source: Source, options: ThermometerOptions, clock: Clock, folder: Path) -> None:
        self.device = device
        self._source, self._options, self._clock = source, options, clock
        self._episodes = Episodes(folder / "episodes.json", device, clock)
        is_open = OUT_OF_RANGE in self._episodes.open_types
        self._watch = Watch(options.limits, is_open=is_open) if options.limits else None
        self._reported_at: float | None = None
        self._reported: dict[str, Value] = {}
        self._told = 0
        self._unsafe: dict[int, Event] = {}
        self._is_weak = False
        self._judged_at = clock.monotonic()

    async def reports(self) -> AsyncIterator[Report | Health]:
        """Yield what it measures; raises DeviceUnreachableError when it measures nothing any more."""
        for event in self._episodes.untold():
            yield self._report(event)
        while True:
            measurement = await self._measurement()
            for said in self._tell(measurement):
                yield said
            self._check_judged(measurement)

    def release(self, count: int) -> None:
        for number in [number for number in self._unsafe if number <= count]:
            self._episodes.settle(self._unsafe.pop(number))

    async def _measurement(self) -> Measurement:
        try:
            async with asyncio.timeout(self._options.silent_after_s):
                return await self._source.measure()
        except TimeoutError as error:
            reason = await self._source.why_silent()
            raise DeviceUnreachableError(f"silent for {self._options.silent_after_s:g} s: {reason}") from error

    def _tell(self, measurement: Measurement) -> Iterator[Report | Health]:
        event = self._judge(measurement)
        if event or self._is_news(measurement.values):
            self._reported |= measurement.values
            self._reported_at = self._clock.monotonic()
            yield self._report(Reading(device=self.device, at=measurement.at, values=measurement.values))
        if event:
            yield self._report(event)
        battery = measurement.values.get(_BATTERY)
        if isinstance(battery, float) and (battery < _BATTERY_LOW_PERCENT) != self._is_weak:
            self._is_weak = not self._is_weak
            yield Health(DeviceState.DEGRADED, f"battery at {battery:g} %") if self._is_weak else Health(DeviceState.OK)

    def _is_news(self, values: dict[str, Value]) -> bool:
        if self._reported_at is None or self._clock.monotonic() - self._reported_at >= self._options.report_every_s:
            return True
        return any(not isinstance(value, float) and self._reported.get(name) != value for name, value in values.items())

    def _judge(self, measurement: Measurement) -> Event | None:
        """Return the event that this measurement begins or ends."""
        limits, watch = self._options.limits, self._watch
        value = measurement.values.get(limits.value) if limits else None
        if limits is None or watch is None or not isinstance(value, float):
            return None
        self._judged_at = self._clock.monotonic()
        turn = watch.see(value, self._judged_at)
        tell = partial(self._episodes.happened, OUT_OF_RANGE, severity=Severity(limits.severity), at=measurement.at)
        known = {"low": limits.low, "high": limits.high}
        data = {limits.value: value, **{name: limit for name, limit in known.items() if limit is not None}}
        match turn:
            case Turn.BEGINS:
                worst = watch.excursion.worst if watch.excursion else value
                return tell(state=EventState.BEGAN, data={**data, "worst": worst, "minutes": limits.minutes})
            case Turn.ENDS:
                return tell(state=EventState.ENDED, data=data)
            case None:
                return None

    def _check_judged(self, measurement: Measurement) -> None:
        """Raise DeviceUnreachableError when the value that has limits is silent, whatever else is measured."""
        limits = self._options.limits
        if limits and self._clock.monotonic() - self._judged_at >= self._options.silent_after_s:
            others = ", ".join(sorted(measurement.values))
            raise DeviceUnreachableError(f"it measures no {limits.value}, only {others}")

    def _report(self, record: Reading | Event) -> Report:
        self._told += 1
        if isinstance(record, Event):
            self._unsafe[self._told] = record
        return Report(record)
