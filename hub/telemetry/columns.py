"""Batches to columns: the hot path between the wire's records and Arrow tables.

Every value becomes a few list appends and one dictionary look-up; times, receipt times and batch numbers are made per
record or per batch and spread by numpy.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import nan
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hub.telemetry.catalogue import EARLIEST, LATEST, Catalogue, fitted, misfit, out_of_bounds
from hub.telemetry.contract import Arrival, Clash, SeriesKey
from protocol.messages import Position, Reading

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
POSITION_FIELDS: Final[dict[str, pa.DataType]] = {
    "latitude": pa.float64(),
    "longitude": pa.float64(),
    "altitude_m": pa.float64(),
    "speed_mps": pa.float64(),
    "course_deg": pa.float64(),
    "hdop": pa.float64(),
    "satellites": pa.int32(),
    "quality": pa.int32(),
    "sigma_m": pa.float64(),
    "cn0_mean_db": pa.float64(),
    "cn0_spread_db": pa.float64(),
    "flags": pa.list_(pa.string()),
}
"""The fields of a position that are stored as columns of the same name."""

_TIME: Final = pa.timestamp("us")
Integers = npt.NDArray[np.int64]


@dataclass(slots=True)
class Rows:
    """What a commit stores. Row i of the readings has `series[i]`, `numbers[i]` and so on; texts are sparse.

    A table without rows is None.
    """

    series: Integers
    at_us: Integers
    numbers: npt.NDArray[np.float64]
    texts: dict[int, str]
    readings: pa.Table | None
    positions: pa.Table | None
    clashes: list[Clash]


def microseconds(times: Iterable[datetime]) -> Integers:
    """Return aware times as microseconds since 1970, exactly."""
    since: pa.Array[Any] = pa.array([at - EPOCH for at in times], pa.duration("us"))
    return since.cast(pa.int64()).to_numpy()


def rows_of(arrivals: Sequence[Arrival], catalogue: Catalogue, first_batch: int) -> Rows:
    """Lay out the telemetry of batches as columns; batch i gets the number `first_batch + i`.

    New series are entered into the catalogue.
    """
    return _Layout(catalogue).laid_out(arrivals, first_batch)


class _Stamps(NamedTuple):
    """Of records or rows: the device's time, the hub's, and the place of the batch that they came in."""

    at_us: Integers
    received_us: Integers
    origin: Integers

    def of(self, places: Sequence[int]) -> "_Stamps":
        """Spread them to the rows that stem from the records at these places."""
        wanted = np.array(places, np.int64)
        return _Stamps(self.at_us[wanted], self.received_us[wanted], self.origin[wanted])


@dataclass(slots=True)
class _Layout:
    catalogue: Catalogue
    series: list[int] = field(default_factory=list)
    numbers: list[float] = field(default_factory=list)
    texts: dict[int, str] = field(default_factory=dict)
    places: list[int] = field(default_factory=list)
    extras: dict[int, bytes] = field(default_factory=dict)
    positions: list[Position] = field(default_factory=list)
    position_places: list[int] = field(default_factory=list)
    clashes: list[Clash] = field(default_factory=list)

    def laid_out(self, arrivals: Sequence[Arrival], first_batch: int) -> Rows:
        at_us = microseconds(record.at for arrival in arrivals for record in arrival.batch.records)
        outside = _outside(at_us)
        start = 0
        for arrival in arrivals:
            self._take(arrival, start, outside)
            start += len(arrival.batch.records)
        sizes = [len(arrival.batch.records) for arrival in arrivals]
        received_us = microseconds(arrival.received_at for arrival in arrivals)
        stamps = _Stamps(at_us, np.repeat(received_us, sizes), np.repeat(np.arange(len(arrivals)), sizes))
        series, numbers = np.array(self.series, np.int64), np.array(self.numbers, np.float64)
        own = stamps.of(self.places)
        readings = self._readings(series, numbers, own, first_batch) if self.series else None
        positions = self._positions(arrivals, stamps, first_batch) if self.positions else None
        return Rows(series, own.at_us, numbers, self.texts, readings, positions, self.clashes)

    def _readings(
        self, series: Integers, numbers: npt.NDArray[np.float64], stamps: _Stamps, first_batch: int
    ) -> pa.Table:
        return pa.table(
            {
                "series": series,
                "instant": _times(stamps.at_us),
                "number": _numbers(numbers, self.texts),
                "text": _sparse(self.texts, len(series)),
                "received": _times(stamps.received_us),
                "batch": first_batch + stamps.origin,
                "extra": _sparse(_of_rows(self.extras, self.places), len(series)),
            }
        )

    def _positions(self, arrivals: Sequence[Arrival], all_stamps: _Stamps, first_batch: int) -> pa.Table:
        stamps = all_stamps.of(self.position_places)
        gateways: pa.Array[Any] = pa.array([arrival.batch.gateway for arrival in arrivals], pa.string())
        return pa.table(
            {
                "gateway": gateways.take(stamps.origin),
                "device": pa.array([position.device for position in self.positions], pa.string()),
                "instant": _times(stamps.at_us),
                **{
                    name: pa.array([getattr(position, name) for position in self.positions], kind)
                    for name, kind in POSITION_FIELDS.items()
                },
                "received": _times(stamps.received_us),
                "batch": first_batch + stamps.origin,
                "extra": _sparse(_of_rows(self.extras, self.position_places), len(self.positions)),
            }
        )

    def _take(self, arrival: Arrival, start: int, outside: frozenset[int]) -> None:
        """Append the rows of one batch; `start` is the place of its first record among all records."""
        gateway, catalogue = arrival.batch.gateway, self.catalogue
        devices = catalogue.of_gateway(gateway)
        series, numbers, places = self.series.append, self.numbers.append, self.places.append
        for place, record in enumerate(arrival.batch.records, start):
            if outside and place in outside:
                if isinstance(record, Reading | Position):
                    self.clashes.append(out_of_bounds(arrival, place - start))
                continue
            if type(record) is Reading:
                names = devices.get(record.device) or catalogue.of_device(gateway, record.device)
                for name, value in record.values.items():
                    known = names.get(name)
                    if known is not None and type(value) is known.accepts:
                        series(known.id)
                        numbers(value)
                        places(place)
                    else:
                        self._take_unusual(arrival, start, place, name)
            elif type(record) is Position:
                self.positions.append(record)
                self.position_places.append(place)
        for index, extra in arrival.extras.items():
            self.extras[start + index] = msgspec.json.encode(extra)

    def _take_unusual(self, arrival: Arrival, start: int, place: int, name: str) -> None:
        """Append a text, a value that has to be made to fit, or the first of a series; or note a clash."""
        record = arrival.batch.records[place - start]
        assert isinstance(record, Reading)  # noqa: S101 - for the type checker
        value = record.values[name]
        key = SeriesKey(arrival.batch.gateway, record.device, name)
        known = self.catalogue.find(key)
        if known is None:
            known = self.catalogue.decide(key, value)
        fit = fitted(value, known.kind)
        if fit is None:
            self.clashes.append(misfit(arrival, place - start, name, value, known))
            return
        if isinstance(fit, str):
            self.texts[len(self.series)] = fit
        self.series.append(known.id)
        self.numbers.append(nan if isinstance(fit, str) else fit)
        self.places.append(place)


def _outside(at_us: Integers) -> frozenset[int]:
    """Return the places of times that no store can hold."""
    low, high = microseconds((EARLIEST, LATEST))
    if not len(at_us) or (at_us.min() >= low and at_us.max() < high):
        return frozenset()
    return frozenset(np.flatnonzero((at_us < low) | (at_us >= high)).tolist())


def _of_rows(extras: dict[int, bytes], places: list[int]) -> dict[int, str]:
    """Move what is kept per record to the first row of that record."""
    if not extras:
        return {}
    first = {place: row for row, place in reversed(list(enumerate(places)))}
    return {first[place]: extra.decode() for place, extra in extras.items() if place in first}


def _times(at_us: Integers) -> "pa.Array[Any]":
    return pa.array(at_us).cast(_TIME)


def _numbers(numbers: npt.NDArray[np.float64], texts: dict[int, str]) -> "pa.Array[Any]":
    """Return the numbers, null where the row is a text."""
    if not texts:
        return pa.array(numbers)
    missing = np.zeros(len(numbers), np.bool_)
    missing[list(texts)] = True
    return pa.array(numbers, mask=missing)


def _sparse(texts: dict[int, str], length: int) -> "pa.Array[Any]":
    return pa.array(list(map(texts.get, range(length))), pa.string()) if texts else pa.nulls(length, pa.string())
