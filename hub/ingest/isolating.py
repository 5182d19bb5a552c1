"""A message that a store cannot take must not stop the others: it is found, and becomes a dead letter."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from hub.ingest.deliveries import Delivery
from hub.ingest.reading import poisoned
from protocol import logs
from protocol.errors import StoreUnavailableError

log = logs.get(__name__)

Result = TypeVar("Result")

_REASON_CHARACTERS: Final = 500


async def isolated(
    deliveries: Sequence[Delivery], act: Callable[[Sequence[Delivery]], Awaitable[Result]]
) -> list[Result]:
    """Run `act` on all; where it fails, on ever smaller halves, and on what fails alone as a dead letter.

    `act` does all or nothing; its results come back in order. Raises StoreUnavailableError, and what `act` raises even
    for a dead letter.
    """
    try:
        return [await act(deliveries)]
    except StoreUnavailableError:
        raise
    except Exception as error:
        # Stores and consumers meet here whatever gateways send; one message that breaks one of them costs only itself.
        if len(deliveries) > 1:
            half = len(deliveries) // 2
            return [*await isolated(deliveries[:half], act), *await isolated(deliveries[half:], act)]
        (delivery,) = deliveries
        if not delivery.usable:
            raise
        log.exception("message_cannot_be_stored", gateway=delivery.gateway, topic=delivery.topic)
        reason = f"the hub cannot store it: {type(error).__name__}: {error}"[:_REASON_CHARACTERS]
        return [await act([poisoned(delivery, reason)])]
