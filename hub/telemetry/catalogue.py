"""What type each series has, for ever: the first value decides, later ones are made to fit or clash."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, NamedTuple

from hub.telemetry.contract import Arrival, Clash, Scalar, SeriesKey
from protocol.messages import Position, Reading

EARLIEST: Final = datetime(1678, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2262, 1, 1, tzinfo=UTC)
"""Times in between fit into nanoseconds in 64 bits, which is what InfluxDB keeps; both stores hold to it."""


class SeriesType(StrEnum):
    """What the values of a series are."""

    NUMBER = "number"
    FLAG = "flag"
    TEXT = "text"


class Series(NamedTuple):
    """A known series. `accepts` is the Python type whose values are numbers as they are; of a text nothing is."""

    id: int
    kind: SeriesType
    accepts: type[float] | None


_ACCEPTS: Final[dict[SeriesType, type[float] | None]] = {
    SeriesType.NUMBER: float,
    SeriesType.FLAG: bool,
    SeriesType.TEXT: None,
}


def type_of(value: Scalar) -> SeriesType:
    """Return the type that a value has by itself."""
    if isinstance(value, str):
        return SeriesType.TEXT
    return SeriesType.FLAG if isinstance(value, bool) else SeriesType.NUMBER


def fitted(value: Scalar, wanted: SeriesType) -> Scalar | None:
    """Return the value as the series has it, or None when it cannot be that.

    A flag in a series of numbers is 1 or 0, the numbers 1 and 0 in a series of flags are true and false. Nothing else
    is converted: "4.5" may be a version.
    """
    own = type_of(value)
    if own is wanted:
        return float(value) if own is SeriesType.NUMBER else value
    if own is SeriesType.FLAG and wanted is SeriesType.NUMBER:
        return float(value)
    if own is SeriesType.NUMBER and wanted is SeriesType.FLAG and value in (0, 1):
        return bool(value)
    return None


def in_bounds(at: datetime) -> bool:
    """Whether a store can hold this time."""
    return EARLIEST <= at < LATEST


class Catalogue:
    """The series of one store, in memory. It is loaded from the store when that opens; one thread at a time changes it.

    A commit that fails leaves series that nothing was stored for: load the catalogue anew then.
    """

    def __init__(self, known: Iterable[tuple[SeriesKey, int, SeriesType]] = ()) -> None:
        self._gateways: dict[str, dict[str, dict[str, Series]]] = {}
        self._keys: dict[int, SeriesKey] = {}
        self.next_id = 0
        for key, number, kind in known:
            self._enter(key, number, kind)

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[tuple[SeriesKey, Series]]:
        for key in list(self._keys.values()):
            yield key, self._gateways[key.gateway][key.device][key.name]

    def of_gateway(self, gateway: str) -> dict[str, dict[str, Series]]:
        """Return the gateway's devices, and of each its series by name: the living table, to be read only."""
        return self._gateways.setdefault(gateway, {})

    def of_device(self, gateway: str, device: str) -> dict[str, Series]:
        """Return the device's series by name: the living table, to be read only."""
        return self.of_gateway(gateway).setdefault(device, {})

    def find(self, key: SeriesKey) -> Series | None:
        """Return the series, or None when nothing was ever stored under this key."""
        return self._gateways.get(key.gateway, {}).get(key.device, {}).get(key.name)

    def decide(self, key: SeriesKey, value: Scalar) -> Series:
        """Enter a new series; this value decides its type."""
        return self.enter(key, type_of(value))

    def enter(self, key: SeriesKey, kind: SeriesType) -> Series:
        """Enter a series of a known type."""
        return self._enter(key, self.next_id, kind)

    def added(self, since: int) -> list[tuple[SeriesKey, Series]]:
        """Return the series entered since `next_id` was this."""
        return [
            (key := self._keys[number], self.of_device(key.gateway, key.device)[key.name])
            for number in range(since, self.next_id)
        ]

    def clashes(self, arrival: Arrival) -> Iterator[Clash]:
        """Find the values of a batch that cannot be stored, deciding nothing."""
        for index, record in enumerate(arrival.batch.records):
            if isinstance(record, Reading | Position) and not in_bounds(record.at):
                yield out_of_bounds(arrival, index)
            elif isinstance(record, Reading):
                names = self.of_device(arrival.batch.gateway, record.device)
                for name, value in record.values.items():
                    if (series := names.get(name)) and fitted(value, series.kind) is None:
                        yield misfit(arrival, index, name, value, series)

    def _enter(self, key: SeriesKey, number: int, kind: SeriesType) -> Series:
        series = self.of_device(key.gateway, key.device)[key.name] = Series(number, kind, _ACCEPTS[kind])
        self._keys[number] = key
        self.next_id = max(self.next_id, number + 1)
        return series


def misfit(arrival: Arrival, index: int, name: str, value: Scalar, series: Series) -> Clash:
    """Say that a value is not of its series' type."""
    reason = f"{name} has been a {series.kind} since its first value; this one is a {type_of(value)}"
    return Clash(arrival.batch.id, index, name, reason)


def out_of_bounds(arrival: Arrival, index: int) -> Clash:
    """Say that no store can hold the time of a record."""
    at = arrival.batch.records[index].at
    return Clash(arrival.batch.id, index, "at", f"{at.isoformat()} is not between {EARLIEST.year} and {LATEST.year}")
