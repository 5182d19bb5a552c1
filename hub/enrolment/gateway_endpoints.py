"""What boxes ask of their own identity: to be enrolled, to be given the next certificate, to be forgotten."""

from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts.issuing import digest
from hub.api.access import address_of
from hub.api.problems import problems
from hub.certificates import repository as certificates
from hub.certificates.issuing import confirm, issue, read_request, renewal_due_at
from hub.certificates.model import GatewayCertificate
from hub.enrolment.granting import Use, use
from hub.enrolment.model import OrderState
from hub.enrolment.ordering import issuing_of
from hub.enrolment.schemas import CertificateGiven, EnrolIn, EnrolOut, RenewIn
from hub.gateways import repository as gateways
from hub.gateways.callers import Peer
from hub.gateways.calling import CallingGateway, CertificatePeer
from hub.gateways.revoking import revoke
from hub.parts import Parts, PartsHere
from protocol import logs
from protocol.errors import RefusedRequestError

log = logs.get(__name__)

router = APIRouter(tags=["gateways' own"])

RENEWALS_A_DAY: Final = 48
"""A box that is out of its mind must not fill the table of certificates."""


def _certified(peer: CertificatePeer) -> Peer:
    """Return who showed a certificate; refuse with 401 who did not."""
    if peer is None:
        detail = "show the certificate in the handshake of the hub's HTTPS door"
        raise RefusedRequestError("gateways.no_certificate", detail, status=401)
    return peer


CertifiedPeer = Annotated[Peer, Depends(_certified)]


@router.get("/authority", responses={200: {"content": {"application/x-pem-file": {}}}, **problems(409)})
async def get_root_certificate(parts: PartsHere) -> Response:
    """The hub's root certificate, PEM. It proves nothing by itself: compare its SHA-256 with a ticket's fingerprint."""
    return Response(issuing_of(parts).authority.pem, media_type="application/x-pem-file")


@router.post(
    "/enrol",
    responses={202: {"model": EnrolOut, "description": "Somebody has to confirm first"}, **problems(404, 409, 410)},
)
async def enrol(body: EnrolIn, request: Request, parts: PartsHere, response: Response) -> EnrolOut:
    """Use a one-time code. The box that was first may ask again, with the same key, and is answered the same."""
    issuing_of(parts)
    async with parts.database.write() as session:
        used = await use(session, parts, body)
    if used.refusal is not None:
        if used.refusal.rule == "enrolments.wrong_code":
            offered = digest(body.code)
            parts.callers.codes.require(address_of(request), offered)
            parts.callers.codes.wrong(address_of(request), offered)
        raise used.refusal
    answer = _given(parts, used)
    if answer.state is not OrderState.ISSUED:
        response.status_code = 202
        response.headers["Retry-After"] = "2"
    return answer


@router.post("/renew", responses=problems(409))
async def renew_certificate(body: RenewIn, parts: PartsHere, peer: CertifiedPeer) -> CertificateGiven:
    """Give the next certificate, for a new key. The one that was shown stands until the new one is confirmed."""
    issuing = issuing_of(parts)
    request = read_request(body.request, peer.gateway)
    async with parts.database.write() as session:
        current = await _standing(session, peer)
        now = parts.clock.now()
        if request.digest == current.key_digest:
            raise RefusedRequestError("enrolments.same_key", "the next certificate needs a key of its own")
        if await certificates.issued_since(session, peer.gateway, now - timedelta(days=1)) >= RENEWALS_A_DAY:
            raise RefusedRequestError("enrolments.too_many_tries", "too many certificates within a day", status=429)
        await confirm(session, current, now)
        await certificates.end_untried(session, peer.gateway, now)
        return _shape(parts, issue(session, issuing, peer.gateway, request, now))


@router.post("/confirm", responses=problems(409))
async def confirm_certificate(parts: PartsHere, peer: CertifiedPeer) -> CertificateGiven:
    """Say that the certificate that is shown works; what the gateway had before ends. Again changes nothing."""
    async with parts.database.write() as session:
        current = await _standing(session, peer)
        is_first = current.confirmed_at is None
        await confirm(session, current, parts.clock.now())
        if is_first:
            log.info("certificate_renewed", gateway=peer.gateway, serial=peer.serial)
            about = {"serial": peer.serial, "gateway": peer.gateway}
            await parts.stream.append(session, "certificate", about)
        return _shape(parts, current)


@router.post("/retire", status_code=204)
async def retire(gateway: CallingGateway, parts: PartsHere) -> None:
    """Revoke the gateway that asks: its box is reset and forgets its key. What it reported stays."""
    async with parts.database.write() as session:
        row = await gateways.find(session, gateway)
        if row is not None:
            log.info("gateway_retired", gateway=gateway)
            await revoke(session, parts, row)


async def _standing(session: AsyncSession, peer: Peer) -> GatewayCertificate:
    """Return the certificate of a peer within the transaction: it may have ended since it was looked at."""
    row = await certificates.find(session, peer.serial)
    if row is None or row.ended_at is not None:
        raise RefusedRequestError("gateways.certificate_ended", "the certificate ended just now", status=401)
    return row


def _given(parts: Parts, used: Use) -> EnrolOut:
    order, row, issuing = used.order, used.certificate, issuing_of(parts)
    assert order is not None  # noqa: S101 - there is one unless the use was refused
    now = parts.clock.now()
    answer = EnrolOut(state=order.state_at(now), check=order.check_digits or "", hub_at=now)
    if row is None:
        return answer
    return answer.model_copy(
        update={
            "gateway": order.gateway,
            "subject": order.subject,
            "certificate": row.pem,
            "authority": issuing.authority.pem,
            "broker": issuing.broker,
            "api": issuing.door,
            "epoch": order.epoch,
            "renew_at": renewal_due_at(row),
            "not_after": row.not_after,
        }
    )


def _shape(parts: Parts, row: GatewayCertificate) -> CertificateGiven:
    return CertificateGiven(
        gateway=row.gateway,
        serial=row.serial,
        certificate=row.pem,
        renew_at=renewal_due_at(row),
        not_after=row.not_after,
        hub_at=parts.clock.now(),
    )
