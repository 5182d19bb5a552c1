"""Certificates for gateways: made from their signing requests, written down, and confirmed once they were tried."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy.ext.asyncio import AsyncSession

from hub.certificates import repository
from hub.certificates.authority import Authority, common_name, serial_of
from hub.certificates.model import Ended, GatewayCertificate
from protocol.errors import RefusedRequestError

RENEWED_AT = 2 / 3


@dataclass(frozen=True, slots=True)
class Issuing:
    """What certificates are issued with, and where boxes find the hub that was issued to them."""

    authority: Authority
    door: str
    """https://host:port"""

    broker: str
    """mqtts://host:port; empty where the broker beside the hub has none that was told in the settings."""

    life: timedelta


@dataclass(frozen=True, slots=True)
class SigningRequest:
    """A box's public key, which it has proved to hold."""

    key: ec.EllipticCurvePublicKey
    der: bytes
    """The key as SubjectPublicKeyInfo."""

    @property
    def digest(self) -> str:
        """SHA-256 of the key, in hexadecimal: what tells one box from another before either has a name."""
        return hashlib.sha256(self.der).hexdigest()


def read_request(pem: str, gateway: str | None) -> SigningRequest:
    """Return the key of a PKCS 10 request; `gateway` is who may stand in it.

    The request's subject says nothing that counts: it may be empty, and a common name that is there must be the
    gateway's. Extensions are not looked at. Raises RefusedRequestError (422) for what is no request, was not signed
    with its own key, or has a key that is not P-256.
    """
    try:
        request = x509.load_pem_x509_csr(pem.encode("ascii"))
        key = request.public_key()
        signed = request.is_signature_valid
        named = common_name(request)
    except (ValueError, TypeError) as error:
        raise _bad("it cannot be read") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise _bad("its key is not P-256")
    if not signed:
        raise _bad("it is not signed with its own key")
    if named and gateway is not None and named != gateway:
        raise _bad(f"it is for {named[:64]!r}, not for {gateway!r}")
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return SigningRequest(key, der)


def issue(
    session: AsyncSession, issuing: Issuing, gateway: str, request: SigningRequest, now: datetime
) -> GatewayCertificate:
    """Add a certificate of a gateway, not confirmed yet. The caller commits, then hands it out."""
    made = issuing.authority.issue_for_gateway(request.key, gateway, issuing.life, now)
    row = GatewayCertificate(
        serial=serial_of(made),
        gateway=gateway,
        key_digest=request.digest,
        pem=made.public_bytes(serialization.Encoding.PEM).decode(),
        issued_at=now,
        not_before=made.not_valid_before_utc,
        not_after=made.not_valid_after_utc,
    )
    session.add(row)
    return row


def renewal_due_at(row: GatewayCertificate) -> datetime:
    """Return when a certificate should be renewed: at two thirds of its life."""
    return row.issued_at + (row.not_after - row.issued_at) * RENEWED_AT


async def confirm(session: AsyncSession, row: GatewayCertificate, now: datetime) -> None:
    """Note that a gateway has used a certificate; what it had before ends. Again changes nothing."""
    if row.confirmed_at is None:
        row.confirmed_at = now
        await repository.end_all(session, row.gateway, Ended.SUPERSEDED, now, but=row.serial)


def _bad(reason: str) -> RefusedRequestError:
    return RefusedRequestError(
        "enrolments.bad_request", f"the certificate request does not serve: {reason}", status=422
    )
