"""From a used code to a certificate: once per work order, to the box that used the code first."""

import hmac
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from hub.certificates import repository as certificates
from hub.certificates.issuing import SigningRequest, issue, read_request
from hub.certificates.model import Ended, GatewayCertificate
from hub.enrolment import repository
from hub.enrolment.model import Enrolment, OrderState
from hub.enrolment.ordering import digest_of, issuing_of, require_free, tell
from hub.enrolment.schemas import EnrolIn
from hub.gateways import repository as gateways
from hub.gateways.model import Gateway
from hub.parts import Parts
from protocol import logs
from protocol.enrolment import check_digits, read_code
from protocol.errors import RefusedRequestError, UndecodableMessageError

log = logs.get(__name__)

TRIES: Final = 5
"""Refused uses of one code after which it is dead."""


@dataclass(frozen=True, slots=True)
class Use:
    """What became of one use of a code: the order, with its certificate once there is one, or why it was refused.

    A refusal is returned, not raised, so that what it counted is committed.
    """

    order: Enrolment | None = None
    certificate: GatewayCertificate | None = None
    refusal: RefusedRequestError | None = None


async def use(session: AsyncSession, parts: Parts, body: EnrolIn) -> Use:
    """Let a box use a code. The box that was first may ask again with the same key and is answered the same."""
    try:
        code = read_code(body.code)
    except UndecodableMessageError:
        return Use(refusal=_unknown())
    order = await repository.with_code(session, digest_of(code))
    # The row was found by its digest already; compared once more in a time that says nothing.
    if order is None or not hmac.compare_digest(order.code_digest, digest_of(code)):
        return Use(refusal=_unknown())
    if order.tries >= TRIES:
        return Use(
            refusal=RefusedRequestError("enrolments.too_many_tries", "this code was misused too often", status=429)
        )
    try:
        return await _use(session, parts, order, code, body)
    except RefusedRequestError as refusal:
        order.tries += 1
        log.warning("enrolment_refused", gateway=order.gateway, rule=refusal.rule, tries=order.tries)
        return Use(refusal=refusal)


async def decide(session: AsyncSession, parts: Parts, order: Enrolment, *, right: bool, by: str) -> None:
    """Release the certificate that an order holds back, or refuse it for good. Deciding the same again changes nothing.

    Raises RefusedRequestError (409) when no box waits for a decision.
    """
    state = order.state_at(parts.clock.now())
    if state is (OrderState.ISSUED if right else OrderState.REFUSED):
        return
    if state is not OrderState.WAITING or order.request is None:
        raise RefusedRequestError("enrolments.nobody_waits", f"no box waits for this order, which is {state}")
    order.decided_by = by
    if right:
        await _grant(session, parts, order, read_request(order.request, order.gateway))
    else:
        order.state = OrderState.REFUSED
    await tell(session, parts, order)


async def cancel(session: AsyncSession, parts: Parts, order: Enrolment, *, by: str) -> None:
    """End an order whose box has no certificate yet. Raises RefusedRequestError (409) for another."""
    state = order.state_at(parts.clock.now())
    if state is OrderState.ISSUED:
        raise RefusedRequestError("enrolments.issued", "the box has its certificate; revoke that instead")
    if state in {OrderState.OPEN, OrderState.WAITING}:
        order.state, order.decided_by = OrderState.CANCELLED, by
        await tell(session, parts, order)


async def _use(session: AsyncSession, parts: Parts, order: Enrolment, code: str, body: EnrolIn) -> Use:
    request = read_request(body.request, None)
    if order.key_digest is not None and order.key_digest != request.digest:
        raise RefusedRequestError("enrolments.used", "this code was used by another box", status=410)
    match order.state_at(parts.clock.now()):
        case OrderState.ISSUED:
            certificate = await certificates.find(session, order.serial or "")
            if certificate is None or certificate.ended_at is not None:
                raise RefusedRequestError("enrolments.used", "the certificate of this code has ended", status=410)
            return Use(order, certificate)
        case OrderState.WAITING:
            return Use(order)
        case OrderState.OPEN:
            return await _first_use(session, parts, order, code, body, request)
        case OrderState.REFUSED:
            raise RefusedRequestError("enrolments.refused", "somebody found that this is not the box", status=403)
        case state:
            raise RefusedRequestError(f"enrolments.{state}", f"this code is {state}; ask for another one", status=410)


async def _first_use(  # noqa: PLR0917 - a step of `_use`, with all that it knows
    session: AsyncSession, parts: Parts, order: Enrolment, code: str, body: EnrolIn, request: SigningRequest
) -> Use:
    if body.gateway is not None and body.gateway != order.gateway:
        detail = f"the order is for {order.gateway}, the box's configuration says {body.gateway}"
        raise RefusedRequestError("enrolments.other_gateway", detail)
    read_request(body.request, order.gateway)
    if not order.replaces:
        await require_free(session, order.gateway)
    order.used_at, order.key_digest, order.request = parts.clock.now(), request.digest, body.request
    order.check_digits = check_digits(code, request.der)
    certificate = None
    if order.confirmation:
        order.state = OrderState.WAITING
    else:
        certificate = await _grant(session, parts, order, request)
    await tell(session, parts, order)
    return Use(order, certificate)


async def _grant(session: AsyncSession, parts: Parts, order: Enrolment, request: SigningRequest) -> GatewayCertificate:
    """Make the gateway what the order says: this certificate, and nothing else, is what it connects with."""
    now = parts.clock.now()
    known = await gateways.find(session, order.gateway)
    if known is None:
        session.add(Gateway(gateway=order.gateway, password_digest="", credentials_at=now, created_at=now))
    else:
        known.password_digest, known.credentials_at, known.revoked_at = "", now, None
    await certificates.end_all(session, order.gateway, Ended.SUPERSEDED, now)
    certificate = issue(session, issuing_of(parts), order.gateway, request, now)
    certificate.confirmed_at = now
    order.state, order.serial = OrderState.ISSUED, certificate.serial
    log.info("gateway_enrolled", gateway=order.gateway, serial=certificate.serial)
    return certificate


def _unknown() -> RefusedRequestError:
    return RefusedRequestError("enrolments.wrong_code", "there is no such code; is it typed as it stands?", status=404)
