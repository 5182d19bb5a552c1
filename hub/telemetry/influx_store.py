"""The telemetry store of a hub that has outgrown one file: InfluxDB 1.x, 2.x or 3.

A commit is several requests and InfluxDB has no transactions: points first, then the ids of their batches. When one
fails the batches are not acknowledged, come again, and write the same points again.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Final, Self, TypeVar

import pyarrow as pa

from hub.telemetry import influx_lines as lines
from hub.telemetry import influx_reading as reading
from hub.telemetry.batches import told_apart
from hub.telemetry.catalogue import Catalogue
from hub.telemetry.contract import (
    Arrival,
    Bucket,
    Committed,
    LastValue,
    Retention,
    Sample,
    SeriesKey,
    StoredPosition,
)
from hub.telemetry.influx_deleting import delete_old
from hub.telemetry.influx_points import Points
from hub.telemetry.influx_server import InfluxAddress, InfluxServer, RefusedSettingsError
from protocol.errors import ConfigurationError, PermanentError, StoreUnavailableError
from protocol.messages import Reading

READERS: Final = 4

Result = TypeVar("Result")


class InfluxStore:
    """A TelemetryStore on one InfluxDB bucket that keeps its data for ever: what is too old is deleted by class.

    Several hubs may share the bucket as long as each gateway's batches are committed by one of them at a time.
    """

    def __init__(self, address: InfluxAddress) -> None:
        self._server = InfluxServer(address)
        self._writing = ThreadPoolExecutor(1, "telemetry-write")
        self._reading = ThreadPoolExecutor(READERS, "telemetry-read")
        self._catalogue = Catalogue()
        self._prefixes: dict[int, str] = {}
        self._in_doubt = False

    @classmethod
    async def opened(cls, address: InfluxAddress) -> Self:
        """Connect to the server.

        Raises StoreUnavailableError when it does not answer, ConfigurationError when it refuses token or bucket or when
        the bucket does not keep its data for ever: types of series lie at 1970, and late data is data.
        """
        store = cls(address)
        try:
            await store.ping()
            await store._write(lambda: store._server.write([lines.OPENED]))
        except (RefusedSettingsError, PermanentError) as error:
            await store.close()
            raise ConfigurationError(str(error)) from error
        except StoreUnavailableError:
            await store.close()
            raise
        return store

    async def commit(self, arrivals: Sequence[Arrival]) -> Committed:
        return await self._write(lambda: self._commit(arrivals))

    async def last(self, gateway: str | None = None, device: str | None = None) -> list[LastValue]:
        return await self._read(lambda: reading.last(self._server, gateway, device))

    async def samples(self, series: SeriesKey, since: datetime, until: datetime, limit: int) -> list[Sample]:
        return await self._read(lambda: reading.samples(self._server, series, (since, until), limit))

    async def buckets(
        self, series: SeriesKey, since: datetime, until: datetime, step: timedelta, limit: int
    ) -> list[Bucket]:
        return await self._read(lambda: reading.buckets(self._server, series, (since, until), step, limit))

    async def positions(
        self, gateway: str | None, device: str, since: datetime, until: datetime, limit: int
    ) -> list[StoredPosition]:
        return await self._read(lambda: reading.positions(self._server, gateway, device, (since, until), limit))

    async def export(
        self, gateway: str | None, device: str | None, since: datetime, until: datetime
    ) -> AsyncIterator[pa.RecordBatch]:
        batches = reading.export(self._server, gateway, device, (since, until))
        while (batch := await self._read(lambda: next(batches, None))) is not None:
            yield batch

    async def retain(self, retention: Retention, now: datetime) -> int:
        return await self._read(lambda: delete_old(self._server, retention, now))

    async def ping(self) -> None:
        await self._read(lambda: self._server.query('SELECT "kind" FROM "series" LIMIT 1'))

    async def close(self) -> None:
        self._writing.shutdown()
        self._reading.shutdown()
        await asyncio.to_thread(self._server.close)

    def _commit(self, arrivals: Sequence[Arrival]) -> Committed:
        fresh, duplicates = told_apart(arrivals, reading.known_batches(self._server, arrivals))
        self._learn(arrivals)
        points = Points(self._catalogue, self._prefixes)
        points.take(fresh)
        self._server.write(points.lines)
        self._server.write([lines.batch(arrival) for arrival in fresh], nanoseconds=True)
        clashes = [*points.clashes, *(clash for arrival in duplicates for clash in self._catalogue.clashes(arrival))]
        return Committed(frozenset(arrival.batch.id for arrival in duplicates), tuple(clashes))

    def _learn(self, arrivals: Sequence[Arrival]) -> None:
        """Ask for the series of devices that have a name unknown here: another hub may have stored it first."""
        unknown = {
            (arrival.batch.gateway, record.device)
            for arrival in arrivals
            for record in arrival.batch.records
            if isinstance(record, Reading)
            and not record.values.keys() <= self._catalogue.of_device(arrival.batch.gateway, record.device).keys()
        }
        for key, kind in reading.series_of(self._server, unknown):
            if self._catalogue.find(key) is None:
                self._catalogue.enter(key, kind)

    async def _write(self, act: Callable[[], Result]) -> Result:
        def certain() -> Result:
            # After a failure it is open what was stored: what is remembered of the server is learnt anew.
            if self._in_doubt:
                self._catalogue, self._prefixes = Catalogue(), {}
            self._in_doubt = True
            result = act()
            self._in_doubt = False
            return result

        return await asyncio.get_running_loop().run_in_executor(self._writing, certain)

    async def _read(self, ask: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._reading, ask)
