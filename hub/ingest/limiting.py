"""How many devices a gateway may have: a box that makes up names must not fill tables and memory for ever."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec

from hub.devices import repository as devices
from hub.ingest.deliveries import Delivery, Letter, Part
from hub.storage.database import Database
from protocol.messages import Record


class DeviceLimit:
    """Lets through what known devices say, and new ones while there is room for them.

    `most` is per gateway. What other devices say becomes dead letters, a record each; those that a state names beyond
    are left out of it, and named in one letter. Devices are never forgotten, so neither is what is known of them.
    """

    def __init__(self, database: Database, most: int) -> None:
        self._database = database
        self._most = most
        self._known: dict[str, set[str]] = {}

    async def within(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        """Return the deliveries with no more devices than there may be. Raises StoreUnavailableError."""
        named = [_names(each) for each in deliveries]
        strangers = {each.gateway for each, names in zip(deliveries, named, strict=True) if names} - self._known.keys()
        if strangers:
            async with self._database.read() as session:
                self._known |= await devices.names(session, sorted(strangers))
        return [self._one(each, names) for each, names in zip(deliveries, named, strict=True)]

    def _one(self, delivery: Delivery, named: set[str]) -> Delivery:
        if not named:
            return delivery
        known = self._known[delivery.gateway]
        if known.issuperset(named):
            return delivery
        # Names in order, so that the same message has the same outcome when it comes again.
        new = sorted(named - known)
        room = max(self._most - len(known), 0)
        known.update(new[:room])
        beyond = frozenset(new[room:])
        return self._without(delivery, beyond) if beyond else delivery

    def _without(self, delivery: Delivery, beyond: frozenset[str]) -> Delivery:
        reason = f"the gateway has {self._most} devices, as many as it may have (ingest.devices_per_gateway)"
        if delivery.state is not None:
            kept_devices = tuple(each for each in delivery.state.devices if each.device not in beyond)
            payload = msgspec.json.encode(sorted(beyond))
            letter = Letter(delivery.gateway, delivery.topic, Part.MESSAGE, reason, payload)
            state = msgspec.structs.replace(delivery.state, devices=kept_devices)
            return replace(delivery, state=state, letters=(*delivery.letters, letter))
        if delivery.arrival is None:
            return delivery
        batch = delivery.arrival.batch
        kept: list[Record] = []
        extras: dict[int, dict[str, Any]] = {}
        letters = list(delivery.letters)
        for index, record in enumerate(batch.records):
            if record.device in beyond:
                payload = msgspec.json.encode(record)
                letters.append(Letter(delivery.gateway, delivery.topic, Part.RECORD, reason, payload, batch.id, index))
                continue
            if index in delivery.arrival.extras:
                extras[len(kept)] = delivery.arrival.extras[index]
            kept.append(record)
        arrival = replace(delivery.arrival, batch=msgspec.structs.replace(batch, records=tuple(kept)), extras=extras)
        return replace(delivery, arrival=arrival, letters=tuple(letters))


def _names(delivery: Delivery) -> set[str]:
    if delivery.arrival is not None:
        return {record.device for record in delivery.arrival.batch.records}
    return {each.device for each in delivery.state.devices} if delivery.state is not None else set()
