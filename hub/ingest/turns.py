"""In which turns a group is committed where events make work, so that a burst of one box holds up nobody else."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from hub.ingest.deliveries import Delivery
from protocol.messages import Event

EVENTS: Final = 1_000
"""How many events one transaction takes, or one message that has more: a third of a second of work."""


def turns(deliveries: Sequence[Delivery], most: int = EVENTS) -> list[list[Delivery]]:
    """Cut a group into transactions of at most `most` events; gateways with fewer events come first.

    What one gateway sent stays in its order.
    """
    events = [_events(each) for each in deliveries]
    if sum(events) <= most:
        return [list(deliveries)]
    of_gateway: Counter[str] = Counter()
    for each, number in zip(deliveries, events, strict=True):
        of_gateway[each.gateway] += number
    parts: list[list[Delivery]] = [[]]
    taken = 0
    fewest_first = sorted(range(len(deliveries)), key=lambda index: of_gateway[deliveries[index].gateway])
    for index in fewest_first:
        if taken and taken + events[index] > most:
            parts.append([])
            taken = 0
        parts[-1].append(deliveries[index])
        taken += events[index]
    return parts


def _events(delivery: Delivery) -> int:
    return 0 if delivery.arrival is None else list(map(type, delivery.arrival.batch.records)).count(Event)
