"""From bytes that were checked to footage: one row and one custody entry, whoever brings them how often."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from hub.custody import recording as custody
from hub.footage import repository
from hub.footage.pairing import ask_for_pairing
from hub.footage.retention import ORDINARY
from protocol.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What came: hashes and size as the hub found them, the rest as the sender says. `sender` as in the custody log."""

    sha256: str
    sm3: str
    size: int
    content_type: str
    sender: str
    gateway: str | None
    device: str | None
    name: str
    began_at: datetime | None
    ended_at: datetime | None


async def is_known(session: AsyncSession, sha256: str, size: int) -> bool:
    """Tell whether these bytes need not come again: they are kept, or were lawfully deleted since."""
    return await repository.is_there(session, sha256, size)


async def receive(session: AsyncSession, clock: Clock, received: Received) -> None:
    """Make footage of bytes that are on the disk. The caller commits; received again, nothing changes."""
    now = clock.now()
    row = await repository.named_or_new(session, new_row(clock.new_id(), received.sha256, now))
    if row.state != "expected":
        return
    row.state, row.received_at = "kept", now
    row.sm3, row.size, row.content_type = received.sm3, received.size, received.content_type
    row.gateway, row.device = row.gateway or received.gateway, row.device or received.device
    row.name = row.name or received.name
    if row.began_at is None or row.ended_at is None:
        row.began_at, row.ended_at = received.began_at, received.ended_at
        row.at = received.began_at or row.at
    row.version += 1
    await session.flush()
    await ask_for_pairing(session, clock, row, "received")
    data = {
        "size": received.size,
        "sm3": received.sm3,
        "gateway": received.gateway,
        "device": received.device,
        "name": received.name,
        "began_at": _written(received.began_at),
        "ended_at": _written(received.ended_at),
    }
    await custody.append(session, clock, kind="footage.received", item=received.sha256, by=received.sender, data=data)


def new_row(footage_id: UUID, sha256: str, at: datetime) -> dict[str, Any]:
    """Return the row of a clip of which nothing but its hash is known yet."""
    return {
        "id": footage_id,
        "sha256": sha256,
        "sm3": "",
        "content_type": "application/octet-stream",
        "state": "expected",
        "name": "",
        "at": at,
        "facts": {},
        "claimed_officer": "",
        "claimed_unit": "",
        "category": ORDINARY,
        "officer_by": "",
        "subject_by": "",
        "version": 1,
    }


def _written(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None
