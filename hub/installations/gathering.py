"""Gathering what a verdict on an installation rests on, from the tables and the telemetry store."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from hub.anomalies.fixes import metres_between
from hub.commands.model import IssuedCommand
from hub.commands.repository import PENDING
from hub.devices.model import Device
from hub.gateways import repository as gateways
from hub.installations import repository
from hub.installations.judging import FRESH, Equipment, Facts, LastFix, Order
from hub.installations.model import Installation
from hub.installations.trying import TRIAL_EVENT
from hub.registers import repository as registers
from hub.registers.duties import missing
from hub.registers.schemas import RegisterIn
from hub.subjects.model import Subject
from hub.telemetry.contract import TelemetryStore
from protocol.clock import Clock

_FIXES_READ: Final = 1_000
_BY_INSTALLER: Final = frozenset({"zones", "sign"})


async def facts_of(session: AsyncSession, telemetry: TelemetryStore, clock: Clock, row: Installation) -> Facts:
    """Return the facts of an installation as they are now. Raises StoreUnavailableError."""
    now = clock.now()
    trial = row.trial or {}
    tried_at = datetime.fromisoformat(trial["asked_at"]) if trial else None
    numbers = {device: UUID(number) for device, number in trial.get("devices", {}).items()}
    event = UUID(trial["event"]) if trial else None
    orders = await repository.commands(session, [*numbers.values(), *([event] if event else [])])
    said = await trial_alert(session, row)
    values = await telemetry.last(row.gateway)
    box = {each.name: each.value for each in values if each.device == repository.BOX}
    gateway = await gateways.find(session, row.gateway)
    subject = await session.get(Subject, row.subject_id) if row.subject_id else None
    equipment = [
        Equipment(
            device=each.device,
            driver=each.driver,
            status=each.status,
            detail=each.detail,
            said_at=max((value.at for value in values if value.device == each.device), default=None),
            fix=await _last_fix(telemetry, each, now),
            order=_order(orders[numbers[each.device]]) if numbers.get(each.device) in orders else None,
            unregistered=await _unregistered(session, each, now),
        )
        for each in await repository.devices_of(session, row.gateway)
        if each.device != repository.BOX
    ]
    return Facts(
        now=now,
        tried_at=tried_at,
        online=gateway is not None and gateway.online,
        clock_offset_s=_number(box, "clock_offset_s"),
        disk_free_bytes=_number(box, "disk_free_bytes"),
        bytes_per_day=_number(box, "outbox_bytes_per_day"),
        trial=_order(orders[event]) if event in orders else None,
        alert_after_s=(said[1] - tried_at).total_seconds() if said and tried_at else None,
        subject=subject is not None,
        placed=row.placed_at is not None,
        away_m=_away_m(row, subject),
        equipment=tuple(equipment),
    )


async def trial_alert(session: AsyncSession, row: Installation) -> tuple[UUID, datetime] | None:
    """Return the alert of the last trial's event, and when the hub raised it; None as yet."""
    if not row.trial:
        return None
    order = await session.get(IssuedCommand, UUID(row.trial["event"]))
    event = (order.data or {}).get("event") if order is not None else None
    try:
        return await repository.alert_of(session, row.gateway, TRIAL_EVENT, UUID(str(event)))
    except ValueError:  # not answered, or by a box that answers otherwise
        return None


async def _last_fix(telemetry: TelemetryStore, row: Device, now: datetime) -> LastFix | None:
    if not row.driver.startswith("gps"):
        return None
    newest = await telemetry.positions(row.gateway, row.device, now - FRESH, now + FRESH, _FIXES_READ)
    if not newest:
        return None
    last = newest[-1].position
    return LastFix(at=last.at, hdop=last.hdop, satellites=last.satellites)


async def _unregistered(session: AsyncSession, row: Device, now: datetime) -> tuple[str, ...]:
    """Return what the installer could still put into the legal register; the rest of it is the office's."""
    if not row.driver.startswith("camera"):
        return ()
    register = RegisterIn.of_row(await registers.find(session, row.gateway, row.device))
    return tuple(rule.item for rule in missing(register.entry(), now.date()) if rule.item in _BY_INSTALLER)


def _order(row: IssuedCommand) -> Order:
    took_s = (row.replied_at - row.issued_at).total_seconds() if row.replied_at else None
    return Order(outcome=None if row.state == PENDING else row.state, took_s=took_s, data=row.data or {})


def _number(values: Mapping[str, float | bool | str], name: str) -> float | None:
    value = values.get(name)
    return float(value) if isinstance(value, int | float) else None


def _away_m(row: Installation, subject: Subject | None) -> float | None:
    """Return how far the box is from where its subject is registered; None when either place is unknown."""
    if subject is None or subject.latitude is None or subject.longitude is None:
        return None
    if row.latitude is None or row.longitude is None:
        return None
    return metres_between(row.latitude, row.longitude, subject.latitude, subject.longitude)
