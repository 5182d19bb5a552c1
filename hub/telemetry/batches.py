"""Which batches of a commit are new."""

from collections.abc import Collection, Sequence
from uuid import UUID

from hub.telemetry.contract import Arrival

BatchKey = tuple[str, UUID, UUID]
"""Gateway, epoch, id: what a batch is known by."""


def told_apart(arrivals: Sequence[Arrival], known: Collection[BatchKey]) -> tuple[list[Arrival], list[Arrival]]:
    """Return the new batches and the duplicates: of those stored, and of earlier ones of the same commit."""
    fresh: dict[BatchKey, Arrival] = {}
    duplicates: list[Arrival] = []
    for arrival in arrivals:
        key = (arrival.batch.gateway, arrival.batch.epoch, arrival.batch.id)
        if key in known or key in fresh:
            duplicates.append(arrival)
        else:
            fresh[key] = arrival
    return list(fresh.values()), duplicates
