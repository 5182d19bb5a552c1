"""Which model each device is of, in memory, for what comes in; asked anew every few seconds."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import msgspec

from hub.device_models import fitting, repository
from hub.device_models.naming import model_of
from hub.device_models.schemas import DeviceModelIn, Reading
from hub.devices import repository as devices
from hub.devices.repository import DeviceKey
from hub.ingest.deliveries import Delivery, Letter, Part
from hub.storage.database import Database
from protocol.clock import Clock
from protocol.messages import Reading as ReadingRecord
from protocol.messages import Record

TRUSTED_FOR_S: Final = 5.0
"""How long a model that was changed, or set on a device, may stay unseen."""


class LiveModels:
    """Makes readings what the models of their devices say. Devices without a model are left as they are."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._models: list[DeviceModelIn] = []
        self._of: dict[DeviceKey, dict[str, Reading] | None] = {}
        self._checked = float("-inf")

    async def conform(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        """Return the deliveries with fitted values; values that cannot be made to fit are letters of theirs.

        Raises StoreUnavailableError.
        """
        keys = {
            DeviceKey(each.gateway, name)
            for each in deliveries
            if each.arrival is not None
            for name in {record.device for record in each.arrival.batch.records}
        }
        await self._learn(keys)
        if not any(self._of.get(key) for key in keys):
            return list(deliveries)
        return [self._conformed(each) for each in deliveries]

    async def _learn(self, keys: set[DeviceKey]) -> None:
        now = self._clock.monotonic()
        stale = now - self._checked >= TRUSTED_FOR_S
        if stale:
            self._of.clear()
        unknown = [key for key in sorted(keys) if key not in self._of]
        if not unknown:
            return
        async with self._database.read() as session:
            if stale:
                self._models = await repository.every(session)
                self._checked = now
            rows = await devices.among(session, unknown) if self._models else {}
        for key in unknown:
            model = model_of(self._models, key, rows.get(key))
            self._of[key] = model.readings or None if model else None

    def _conformed(self, delivery: Delivery) -> Delivery:
        if delivery.arrival is None:
            return delivery
        batch = delivery.arrival.batch
        kept: list[Record] = []
        extras: dict[int, dict[str, Any]] = {}
        letters: list[Letter] = []
        for index, record in enumerate(batch.records):
            readings = self._of.get(DeviceKey(delivery.gateway, record.device))
            made: Record | None = record
            if readings and isinstance(record, ReadingRecord):
                found = fitting.fit(record.values, readings)
                letters += [_letter(delivery, record, index, name, why) for name, why in found.refused.items()]
                made = msgspec.structs.replace(record, values=found.values) if found.values else None
            if made is None:
                continue
            if index in delivery.arrival.extras:
                extras[len(kept)] = delivery.arrival.extras[index]
            kept.append(made)
        arrival = replace(delivery.arrival, batch=msgspec.structs.replace(batch, records=tuple(kept)), extras=extras)
        return replace(delivery, arrival=arrival, letters=(*delivery.letters, *letters))


def _letter(delivery: Delivery, record: ReadingRecord, index: int, name: str, reason: str) -> Letter:
    """Return one value as a letter: a reading of its own, so that it can be taken again when the model was mended."""
    alone = msgspec.structs.replace(record, values={name: record.values[name]})
    batch = delivery.arrival.batch.id if delivery.arrival else None
    return Letter(delivery.gateway, delivery.topic, Part.VALUE, reason, msgspec.json.encode(alone), batch, index)
