"""Writing down what devices report beside telemetry: events and receipts, each message once."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from hub.events.model import EventMessage, ReceiptMessage
from hub.storage.upsert import insert_new
from hub.telemetry.contract import Arrival
from protocol.codec import in_utc
from protocol.messages import Event, Receipt


async def record_reports(session: AsyncSession, arrivals: Sequence[Arrival]) -> None:
    """Add the events and receipts of these batches. A message that is there already, from another batch, is left."""
    events: list[dict[str, Any]] = []
    receipts: list[dict[str, Any]] = []
    for arrival in arrivals:
        for index, record in enumerate(arrival.batch.records):
            if isinstance(record, Event):
                events.append(_event(arrival, record, arrival.extras.get(index)))
            elif isinstance(record, Receipt):
                receipts.append(_receipt(arrival, record, arrival.extras.get(index)))
    await insert_new(session, EventMessage, events)
    await insert_new(session, ReceiptMessage, receipts)


def _event(arrival: Arrival, event: Event, extra: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "gateway": arrival.batch.gateway,
        "device": event.device,
        "event": event.id,
        "type": event.type,
        "severity": event.severity.value,
        "state": event.state.value,
        "at": in_utc(event.at),
        "received_at": arrival.received_at,
        "score": event.score,
        "data": event.data,
        "images": list(event.images),
        "clip": msgspec.to_builtins(event.clip) if event.clip else None,
        "extra": extra,
    }


def _receipt(arrival: Arrival, receipt: Receipt, extra: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "gateway": arrival.batch.gateway,
        "device": receipt.device,
        "job": receipt.job,
        "result": receipt.result,
        "detail": receipt.detail,
        "at": in_utc(receipt.at),
        "received_at": arrival.received_at,
        "extra": extra,
    }
