"""Shapes of certificates at the HTTP border."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, Field

from hub.certificates.model import Ended, GatewayCertificate


class CertificateOut(BaseModel):
    """A certificate that was issued to a gateway."""

    serial: str
    gateway: str
    issued_at: datetime
    not_before: datetime
    not_after: datetime
    confirmed_at: datetime | None = Field(
        description="When its box used it first; null for one that it did not take yet"
    )
    ended_at: datetime | None
    ended_why: Ended | None
    pem: str

    @classmethod
    def of(cls, row: GatewayCertificate) -> Self:
        """Return the shape of a row."""
        return cls(
            serial=row.serial,
            gateway=row.gateway,
            issued_at=row.issued_at,
            not_before=row.not_before,
            not_after=row.not_after,
            confirmed_at=row.confirmed_at,
            ended_at=row.ended_at,
            ended_why=Ended(row.ended_why) if row.ended_why is not None else None,
            pem=row.pem,
        )


class AuthorityOut(BaseModel):
    """The root that vouches for this hub and its boxes."""

    fingerprint: str = Field(description="SHA-256 of the certificate's DER form, as it stands in tickets")
    pem: str
    door: str = Field(description="Where boxes reach the hub by HTTPS")
    broker: str = Field(description="Where they publish: mqtts://host:port")
