"""Setting a kiosk up, giving its page another key, and retiring it. The caller commits."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts import repository as accounts
from hub.accounts.issuing import issue_key
from hub.accounts.scopes import Scope
from hub.devices.model import Device
from hub.gateways import repository as gateways
from hub.kiosks import repository
from hub.kiosks.model import Kiosk
from hub.kiosks.schemas import KioskIn
from hub.kiosks.watching import PAGE
from protocol.clock import Clock
from protocol.errors import RefusedRequestError


async def register(session: AsyncSession, clock: Clock, kiosk: KioskIn) -> tuple[Kiosk, str]:
    """Add a kiosk, or put one that was retired into use again; return it and the key of its page.

    Raises RefusedRequestError: `kiosks.unknown_gateway` (422), `kiosks.exists` (409).
    """
    if await gateways.find(session, kiosk.gateway) is None:
        raise RefusedRequestError("kiosks.unknown_gateway", f"no gateway {kiosk.gateway}", status=422)
    now = clock.now()
    row = await repository.at(session, kiosk.gateway, kiosk.device)
    if row is not None and row.retired_at is None:
        raise RefusedRequestError("kiosks.exists", f"{kiosk.device} of {kiosk.gateway} is a kiosk already")
    if await session.get(Device, (kiosk.gateway, kiosk.device)) is None:
        session.add(
            Device(gateway=kiosk.gateway, device=kiosk.device, driver=PAGE, status="stopped", first_seen_at=now)
        )
    issued = issue_key(session, clock, f"kiosk {kiosk.name}"[:200], [Scope.KIOSK])
    await session.flush()
    if row is None:
        row = Kiosk(id=clock.new_id(), gateway=kiosk.gateway, device=kiosk.device, created_at=now, page="")
        session.add(row)
    row.name, row.place, row.key_id, row.retired_at, row.last_heard_at = (
        kiosk.name,
        kiosk.place,
        issued.row.id,
        None,
        None,
    )
    await session.flush()
    return row, issued.secret


async def renew_key(session: AsyncSession, clock: Clock, kiosk_id: UUID) -> tuple[Kiosk, str]:
    """Give a kiosk another key; the old one ends.

    Raises RefusedRequestError: `kiosks.unknown` (404), `kiosks.retired` (409).
    """
    row = await repository.find(session, kiosk_id)
    if row.retired_at is not None:
        raise RefusedRequestError("kiosks.retired", f"{row.name} was retired; set it up anew")
    await accounts.revoke(session, row.key_id, clock.now())
    issued = issue_key(session, clock, f"kiosk {row.name}"[:200], [Scope.KIOSK])
    await session.flush()
    row.key_id = issued.row.id
    return row, issued.secret


async def retire(session: AsyncSession, clock: Clock, kiosk_id: UUID) -> Kiosk:
    """End a kiosk and its key; doing it again changes nothing. Raises RefusedRequestError: `kiosks.unknown` (404)."""
    row = await repository.find(session, kiosk_id)
    if row.retired_at is None:
        row.retired_at = clock.now()
        await accounts.revoke(session, row.key_id, clock.now())
    return row
