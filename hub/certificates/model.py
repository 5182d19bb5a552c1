"""The table of the certificates that were issued to gateways."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.base import Base


class Ended(StrEnum):
    """Why a certificate counts no more before its time is over."""

    SUPERSEDED = "superseded"
    REVOKED = "revoked"


class GatewayCertificate(Base):
    """One certificate. It is first tried by its gateway (`confirmed_at`), which ends those that it had before.

    `serial` is hexadecimal; `key_digest` the SHA-256 of the public key, DER SubjectPublicKeyInfo, in hexadecimal.
    """

    __tablename__ = "gateway_certificate"

    serial: Mapped[str] = mapped_column(String(40), primary_key=True)
    gateway: Mapped[str] = mapped_column(String(64), index=True)
    key_digest: Mapped[str] = mapped_column(String(64))
    pem: Mapped[str] = mapped_column(Text)
    issued_at: Mapped[datetime] = mapped_column(index=True)
    not_before: Mapped[datetime]
    not_after: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None] = mapped_column(index=True)
    ended_why: Mapped[str | None] = mapped_column(String(16))
