"""Telling of an alert: one notification per channel, in the transaction of the fact, sent after the commit."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from hub.jobs.enqueueing import enqueue_all
from hub.notifications import repository
from hub.notifications.contract import AlertNotice, Occasion
from hub.notifications.model import Channel
from hub.notifications.wording import worded
from hub.words.catalogue import described
from protocol.clock import Clock
from protocol.messages import SEVERITIES, Severity

DELIVER: Final = "notification.deliver"
SOURCE: Final = "urn:diwang:hub"


async def notify(session: AsyncSession, notice: AlertNotice, occasion: Occasion, clock: Clock) -> int:
    """Queue the notice for every channel that wants alerts so severe; return how many are new.

    A channel is told once of each occasion of an alert, however often this is called. The alert is stored already, in
    this transaction or before. The caller commits.
    """
    return await notify_all(session, [(notice, occasion)], clock)


async def notify_all(session: AsyncSession, told: Sequence[tuple[AlertNotice, Occasion]], clock: Clock) -> int:
    """Queue several notices as `notify` does, in their order."""
    channels = await repository.open_channels(session)
    rows = [
        _queued(notice, occasion, channel, clock)
        for notice, occasion in told
        for channel in channels
        if SEVERITIES.index(notice.severity) >= SEVERITIES.index(Severity(channel.minimum_severity))
    ]
    new = await repository.add(session, rows)
    jobs = {f"notification:{each}": {"notification": str(each)} for each in new}
    return await enqueue_all(session, clock, DELIVER, jobs)


def _queued(notice: AlertNotice, occasion: Occasion, channel: Channel, clock: Clock) -> dict[str, Any]:
    notification_id = clock.new_id()
    return {
        "id": notification_id,
        "alert_id": notice.alert_id,
        "channel_id": channel.id,
        "occasion": occasion.value,
        "state": "queued",
        "tries": 0,
        "queued_at": clock.now(),
        "last_error": "",
        "payload": cloud_event(notification_id, clock, notice, occasion),
    }


def cloud_event(notification_id: UUID, clock: Clock, notice: AlertNotice, occasion: Occasion) -> dict[str, Any]:
    """Return the notice as a CloudEvent (structured mode of CloudEvents 1.0), the body of a webhook.

    `id` is the notification's: a receiver that has seen it has the whole message.
    """
    return {
        "specversion": "1.0",
        "id": str(notification_id),
        "source": SOURCE,
        "type": f"diwang.alert.{occasion.value}",
        "time": clock.now().isoformat(),
        "subject": f"alerts/{notice.alert_id}",
        "datacontenttype": "application/json",
        "data": {
            "alert": str(notice.alert_id),
            "key": notice.key,
            "type": notice.type,
            "severity": notice.severity.value,
            "summary": described(notice.type, notice.summary, "en"),
            "at": notice.at.isoformat(),
            "times_seen": notice.times_seen,
            "gateway": notice.gateway,
            "device": notice.device,
            "subject": _reference(notice.subject_id, notice.subject_name),
            "grid": _reference(notice.grid_id, notice.grid_name),
            "officer": _reference(notice.officer_id, notice.officer_name),
            "text": {"zh-CN": worded(notice, occasion, "zh-CN"), "en": worded(notice, occasion, "en")},
        },
    }


def _reference(reference: UUID | str | None, name: str | None) -> dict[str, str | None] | None:
    return None if reference is None else {"id": str(reference), "name": name}
