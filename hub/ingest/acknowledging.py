"""Telling gateways what is committed and may be forgotten."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from hub.broker.contract import BrokerLink
from hub.ingest.deliveries import Delivery
from protocol import codec, logs, topics
from protocol.errors import UplinkUnavailableError
from protocol.messages import Ack, Refusal

log = logs.get(__name__)


def acknowledgements(deliveries: Sequence[Delivery], hub_at: datetime) -> dict[str, Ack]:
    """Return one acknowledgement per gateway that has something to forget."""
    batches: dict[str, list[UUID]] = {}
    images: dict[str, list[str]] = {}
    refused: dict[str, list[Refusal]] = {}
    for each in deliveries:
        if each.arrival is not None:
            batches.setdefault(each.gateway, []).append(each.arrival.batch.id)
        if each.image is not None:
            images.setdefault(each.gateway, []).append(each.image.sha256)
        if each.refused is not None:
            reason = each.letters[0].reason if each.letters else ""
            refused.setdefault(each.gateway, []).append(Refusal(id=each.refused, reason=reason[:500]))
    return {
        gateway: Ack(
            batches=tuple(batches.get(gateway, ())),
            images=tuple(images.get(gateway, ())),
            refused=tuple(refused.get(gateway, ())),
            hub_at=hub_at,
        )
        for gateway in {**batches, **images, **refused}
    }


async def acknowledge(link: BrokerLink, deliveries: Sequence[Delivery], hub_at: datetime) -> None:
    """Publish the acknowledgements. One that does not arrive costs a repetition and nothing else."""
    answers = acknowledgements(deliveries, hub_at)
    try:
        await link.publish_all([(topics.ack(gateway), codec.encode(ack)) for gateway, ack in answers.items()])
    except UplinkUnavailableError as error:
        log.info("not_acknowledged", reason=str(error))
