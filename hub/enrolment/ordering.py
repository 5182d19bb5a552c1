"""Making a work order: its one-time code, and the ticket that carries it to the box."""

import hashlib
from datetime import timedelta
from typing import Final
from uuid import uuid4

import segno
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts.keyring import Caller
from hub.certificates.issuing import Issuing
from hub.enrolment.model import Enrolment, OrderState
from hub.enrolment.schemas import EnrolmentCreated, EnrolmentIn
from hub.gateways import repository as gateways
from hub.parts import Parts
from hub.subjects import repository as subjects
from protocol.enrolment import Ticket, grouped, new_code
from protocol.errors import RefusedRequestError

VALID_FOR: Final = timedelta(minutes=15)


def digest_of(code: str) -> bytes:
    """Return what is stored of a code: its SHA-256. 80 random bits for 15 minutes need no slow hash."""
    return hashlib.sha256(code.encode("ascii")).digest()


def issuing_of(parts: Parts) -> Issuing:
    """Return what boxes are enrolled with. Raises RefusedRequestError (409) where that cannot be done."""
    if parts.issuing is None:
        raise RefusedRequestError("enrolments.tls_off", "boxes cannot be enrolled while `tls.enabled` is false")
    if not parts.issuing.broker:
        detail = "the settings name no mqtts:// address of the broker beside this hub: `tls.broker_url`"
        raise RefusedRequestError("enrolments.no_broker", detail)
    return parts.issuing


async def order(session: AsyncSession, parts: Parts, caller: Caller, body: EnrolmentIn) -> EnrolmentCreated:
    """Add a work order. The caller commits, then shows its code once.

    Raises RefusedRequestError: 404 for a subject that is not there, 409 for a gateway that has a box already, unless it
    is to be replaced.
    """
    issuing = issuing_of(parts)
    if body.subject is not None:
        await subjects.find(session, body.subject)
    if not body.replace:
        await require_free(session, body.gateway)
    code, now = new_code(), parts.clock.now()
    row = Enrolment(
        id=parts.clock.new_id(),
        gateway=body.gateway,
        subject=body.subject,
        note=body.note,
        replaces=body.replace,
        confirmation=body.confirm,
        code_digest=digest_of(code),
        state=OrderState.OPEN,
        created_at=now,
        created_by=caller.key_id,
        expires_at=now + VALID_FOR,
        tries=0,
        epoch=uuid4(),
    )
    session.add(row)
    await tell(session, parts, row)
    ticket = str(Ticket(issuing.door, code, issuing.authority.fingerprint))
    picture = segno.make(ticket, error="m", micro=False)
    return EnrolmentCreated(
        id=row.id,
        gateway=row.gateway,
        code=grouped(code),
        ticket=ticket,
        qr_svg=picture.svg_inline(scale=4),
        qr_png=picture.png_data_uri(scale=6),
        expires_at=row.expires_at,
    )


async def tell(session: AsyncSession, parts: Parts, row: Enrolment) -> None:
    """Let who follows the live stream know how far a work order has come."""
    about = {"id": str(row.id), "gateway": row.gateway, "state": row.state, "check": row.check_digits}
    await parts.stream.append(session, "enrolment", about)


async def require_free(session: AsyncSession, gateway: str) -> None:
    """Raise RefusedRequestError (409) when a gateway may connect already."""
    known = await gateways.find(session, gateway)
    if known is not None and known.revoked_at is None:
        detail = f"the gateway {gateway} has a box already; `replace` ends what that one connects with"
        raise RefusedRequestError("enrolments.gateway_taken", detail)
