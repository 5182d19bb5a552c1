"""Batches to lines: what a commit writes to InfluxDB."""

from collections.abc import Sequence

from hub.telemetry import influx_lines as lines
from hub.telemetry.catalogue import Catalogue, Series, fitted, in_bounds, misfit, out_of_bounds
from hub.telemetry.contract import Arrival, Clash, SeriesKey
from protocol.messages import Position, Reading


class Points:
    """Collects the lines of one commit. `prefixes` remembers what each series' lines begin with."""

    def __init__(self, catalogue: Catalogue, prefixes: dict[int, str]) -> None:
        self.lines: list[str] = []
        self.clashes: list[Clash] = []
        self._catalogue = catalogue
        self._prefixes = prefixes

    def take(self, arrivals: Sequence[Arrival]) -> None:
        """Add the telemetry of batches; new series enter the catalogue and get a line that keeps their type."""
        first = self._catalogue.next_id
        for arrival in arrivals:
            self._take(arrival, lines.microseconds(arrival.received_at))
        self.lines[:0] = [lines.series(key, entry) for key, entry in self._catalogue.added(first)]

    def _take(self, arrival: Arrival, received_us: int) -> None:
        for index, record in enumerate(arrival.batch.records):
            if not isinstance(record, Reading | Position):
                continue
            if not in_bounds(record.at):
                self.clashes.append(out_of_bounds(arrival, index))
                continue
            if isinstance(record, Position):
                extra = lines.extra_field(arrival.extras.get(index))
                self.lines.append(lines.position(arrival.batch.gateway, record, received_us, extra))
            else:
                self._take_reading(arrival, index, record, f",received={received_us}i")

    def _take_reading(self, arrival: Arrival, index: int, record: Reading, received: str) -> None:
        gateway, at_us = arrival.batch.gateway, lines.microseconds(record.at)
        names = self._catalogue.of_device(gateway, record.device)
        extra = lines.extra_field(arrival.extras.get(index))
        for name, value in record.values.items():
            key = SeriesKey(gateway, record.device, name)
            known = names.get(name) or self._catalogue.decide(key, value)
            fit = fitted(value, known.kind)
            if fit is None:
                self.clashes.append(misfit(arrival, index, name, value, known))
                continue
            self.lines.append(f"{self._prefix(key, known)}{lines.value(fit, known.kind)}{received}{extra} {at_us}")
            extra = ""

    def _prefix(self, key: SeriesKey, known: Series) -> str:
        prefix = self._prefixes.get(known.id)
        if prefix is None:
            prefix = self._prefixes[known.id] = lines.series_prefix(key)
        return prefix
