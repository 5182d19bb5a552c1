"""The telemetry half of ingest: readings, positions and pictures, committed before anything else happens."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import msgspec

from hub.ingest.deliveries import Delivery, Letter, Part
from hub.media.store import MediaStore
from hub.telemetry.contract import Clash, TelemetryStore
from protocol.messages import Reading


async def stored(telemetry: TelemetryStore, media: MediaStore, deliveries: Sequence[Delivery]) -> list[Delivery]:
    """Commit readings, positions and pictures; return the deliveries, the values that clashed as letters of theirs.

    Raises StoreUnavailableError, and what a store raises that cannot take one of them.
    """
    images = [each.image for each in deliveries if each.image is not None]
    if images:
        await asyncio.gather(*(media.put(image.sha256, image.payload) for image in images))
    arrivals = [each.arrival for each in deliveries if each.arrival is not None]
    if not arrivals:
        return list(deliveries)
    committed = await telemetry.commit(arrivals)
    return _with_clashes(deliveries, committed.clashes) if committed.clashes else list(deliveries)


def _with_clashes(deliveries: Sequence[Delivery], clashes: Sequence[Clash]) -> list[Delivery]:
    by_batch: dict[UUID, list[Clash]] = {}
    for clash in clashes:
        by_batch.setdefault(clash.batch, []).append(clash)
    return [
        replace(each, letters=(*each.letters, *_letters(each, by_batch[each.arrival.batch.id])))
        if each.arrival is not None and each.arrival.batch.id in by_batch
        else each
        for each in deliveries
    ]


def _letters(delivery: Delivery, clashes: Sequence[Clash]) -> list[Letter]:
    """The values that clash, each as a reading of its own, so that it can be replayed."""
    letters = []
    for clash in clashes:
        record = delivery.arrival.batch.records[clash.index] if delivery.arrival else None
        if isinstance(record, Reading) and clash.name in record.values:
            alone = msgspec.structs.replace(record, values={clash.name: record.values[clash.name]})
            payload = msgspec.json.encode(alone)
            letters.append(
                Letter(delivery.gateway, delivery.topic, Part.VALUE, clash.reason, payload, clash.batch, clash.index)
            )
    return letters
