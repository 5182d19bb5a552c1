"""The hub's root, and the certificates of gateways: list, look at, revoke."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts.keyring import Caller
from hub.accounts.scopes import Scope
from hub.api.access import caller_with
from hub.api.paging import Page, PagingHere
from hub.api.problems import problems
from hub.api.values import Level
from hub.certificates import repository
from hub.certificates.model import Ended, GatewayCertificate
from hub.certificates.schemas import AuthorityOut, CertificateOut
from hub.parts import PartsHere
from protocol.errors import RefusedRequestError

router = APIRouter(tags=["certificates"])

Reader = Annotated[Caller, caller_with(Scope.DEVICES_READ)]
Serial = Annotated[str, Path(pattern="^[0-9a-f]{1,40}$")]


@router.get("/authority", responses=problems(404))
async def get_authority(parts: PartsHere, _: Reader) -> AuthorityOut:
    """The root certificate of this hub, and where boxes that trust it find the hub."""
    issuing = parts.issuing
    if issuing is None:
        raise RefusedRequestError("enrolments.tls_off", "`tls.enabled` is false, so there is no root", status=404)
    root = issuing.authority
    return AuthorityOut(fingerprint=root.fingerprint, pem=root.pem, door=issuing.door, broker=issuing.broker)


@router.get("/certificates")
async def list_certificates(
    parts: PartsHere, _: Reader, paging: PagingHere, gateway: Annotated[Level | None, Query()] = None
) -> Page[CertificateOut]:
    """Every certificate that was issued to a gateway, newest first."""
    wanted = select(GatewayCertificate)
    if gateway is not None:
        wanted = wanted.where(GatewayCertificate.gateway == gateway)
    order = (GatewayCertificate.issued_at.desc(), GatewayCertificate.serial)
    async with parts.database.read() as session:
        return await paging.page(session, wanted, order, CertificateOut.of)


@router.get("/certificates/{serial}", responses=problems(404))
async def get_certificate(serial: Serial, parts: PartsHere, _: Reader) -> CertificateOut:
    """One certificate."""
    async with parts.database.read() as session:
        return CertificateOut.of(await _found(session, serial))


@router.delete("/certificates/{serial}", status_code=204, responses=problems(404))
async def revoke_certificate(
    serial: Serial, parts: PartsHere, _: Annotated[Caller, caller_with(Scope.DEVICES_WRITE)]
) -> None:
    """End a certificate; a live connection of its gateway is cut within five seconds. The gateway itself stays."""
    async with parts.database.write() as session:
        row = await _found(session, serial)
        if row.ended_at is None:
            row.ended_at, row.ended_why = parts.clock.now(), Ended.REVOKED
            await parts.stream.append(session, "certificate", {"serial": serial, "gateway": row.gateway})


async def _found(session: AsyncSession, serial: str) -> GatewayCertificate:
    row = await repository.find(session, serial)
    if row is None:
        raise RefusedRequestError("certificates.unknown", f"no certificate {serial}", status=404)
    return row
