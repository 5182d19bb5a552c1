"""The trial of an installation: orders that make everything on the box show itself. The caller commits, then wakes."""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from hub.commands.model import IssuedCommand
from hub.commands.repository import PENDING
from hub.installations import repository
from hub.installations.model import Installation
from protocol.clock import Clock
from protocol.documents import Align, Document, Paragraph, PrintOrder, Rule, Title
from protocol.messages import Severity

TRIAL_EVENT: Final = "installation.trial"
_VALID: Final = timedelta(minutes=2)
_ORDERS: Final = {"camera": "snapshot", "printer": "print"}


async def try_out(session: AsyncSession, clock: Clock, gateway: str, severity: Severity) -> Installation:
    """Order an event of the box as grave as alerts must be, a picture of each camera and a line on each printer."""
    row = await repository.open_at(session, gateway, locked=True)
    order = clock.new_id()
    ids: dict[str, str] = {}
    for device in await repository.devices_of(session, gateway):
        name = _ORDERS.get(device.driver.partition(".")[0])
        if name is not None and device.status == "ok":
            args = ticket_args(_line(gateway, device.device)) if name == "print" else {}
            ids[device.device] = str(add_order(session, clock, gateway, device=device.device, name=name, args=args))
    add_order(
        session,
        clock,
        gateway,
        device=None,
        name="trial",
        args={"installation": str(row.id), "severity": severity.value},
        number=order,
    )
    row.trial = {"asked_at": clock.now().isoformat(), "event": str(order), "devices": ids}
    row.version += 1
    return row


def add_order(
    session: AsyncSession,
    clock: Clock,
    gateway: str,
    *,
    device: str | None,
    name: str,
    args: dict[str, Any],
    number: UUID | None = None,
) -> UUID:
    """Add a command that is valid for two minutes; return its id."""
    now = clock.now()
    number = number or clock.new_id()
    session.add(
        IssuedCommand(
            id=number,
            gateway=gateway,
            device=device,
            name=name,
            args=args,
            issued_by="installation",
            issued_at=now,
            expires_at=now + _VALID,
            state=PENDING,
        )
    )
    return number


def ticket_args(document: Document) -> dict[str, Any]:
    """Return the arguments of a `print` command."""
    args: dict[str, Any] = msgspec.to_builtins(PrintOrder(document=document))
    return args


def _line(gateway: str, device: str) -> Document:
    return Document(
        blocks=(
            Title(text="打印测试 / Print test", level=2),
            Paragraph(text=f"{gateway} / {device}", align=Align.CENTRE),
            Rule(),
        )
    )
