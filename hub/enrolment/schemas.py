"""Shapes of work orders and of what boxes are given, at the HTTP border."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from hub.api.values import Level
from hub.enrolment.model import Enrolment, OrderState

Note = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Pem = Annotated[str, StringConstraints(min_length=1, max_length=4096, pattern=r"^[\x09\x0a\x0d\x20-\x7e]+$")]
Digits = Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")]


class EnrolmentIn(BaseModel):
    """A work order to make."""

    model_config = ConfigDict(extra="forbid")

    gateway: Level = Field(description="The name that the box gets: MQTT client id and common name of its certificate")
    subject: UUID | None = Field(default=None, description="The subject at which the box is installed")
    note: Note = Field(default="", description="For the people who do it")
    replace: bool = Field(
        default=False, description="The gateway has a box that may connect: its password and certificates end"
    )
    confirm: bool = Field(
        default=False, description="The certificate is held back until somebody has compared the check digits"
    )


class EnrolmentOut(BaseModel):
    """A work order as it stands. The code is not known any more."""

    id: UUID
    gateway: str
    subject: UUID | None
    note: str
    state: OrderState
    replace: bool
    confirm: bool
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    check: str | None = Field(description="Six digits that the box shows as well, once it has used the code")
    serial: str | None = Field(description="The certificate that was issued")

    @classmethod
    def of(cls, row: Enrolment, now: datetime) -> Self:
        """Return the shape of a row."""
        return cls(
            id=row.id,
            gateway=row.gateway,
            subject=row.subject,
            note=row.note,
            state=row.state_at(now),
            replace=row.replaces,
            confirm=row.confirmation,
            created_at=row.created_at,
            expires_at=row.expires_at,
            used_at=row.used_at,
            check=row.check_digits,
            serial=row.serial,
        )


class EnrolmentCreated(BaseModel):
    """A new work order with its code, which is shown this once."""

    id: UUID
    gateway: str
    code: str = Field(description="For typing: ABCD-EFGH-JKMN-PQRS")
    ticket: str = Field(description="What the QR code says: gw1:https://hub:port/e/CODE#FINGERPRINT")
    qr_svg: str = Field(description="The QR code as an SVG picture")
    qr_png: str = Field(description="The QR code as a PNG picture, a data: address")
    expires_at: datetime


class Compared(BaseModel):
    """What somebody read off the box."""

    model_config = ConfigDict(extra="forbid")

    check: Digits = Field(description="The six digits that the box shows")


class EnrolIn(BaseModel):
    """A box that asks for its certificate."""

    model_config = ConfigDict(extra="forbid")

    code: Annotated[str, StringConstraints(max_length=64)]
    request: Pem = Field(description="PKCS 10 request of the box's own P-256 key, PEM")
    gateway: Level | None = Field(default=None, description="The name in the box's configuration, where it has one")


class EnrolOut(BaseModel):
    """What a box is given. While the order waits for somebody's confirmation only `check` is there: ask again."""

    state: OrderState
    check: str = Field(description="Six digits for people to compare")
    hub_at: datetime
    gateway: str | None = None
    subject: UUID | None = None
    certificate: str | None = Field(default=None, description="PEM")
    authority: str | None = Field(default=None, description="The hub's root certificate, PEM")
    broker: str | None = Field(default=None, description="mqtts://host:port")
    api: str | None = Field(default=None, description="https://host:port")
    epoch: UUID | None = Field(default=None, description="Where the box's sequence numbers begin anew")
    renew_at: datetime | None = None
    not_after: datetime | None = None


class RenewIn(BaseModel):
    """A box that asks for its next certificate."""

    model_config = ConfigDict(extra="forbid")

    request: Pem = Field(description="PKCS 10 request of a new P-256 key, PEM")


class CertificateGiven(BaseModel):
    """A certificate as its box gets it."""

    gateway: str
    serial: str
    certificate: str = Field(description="PEM")
    renew_at: datetime
    not_after: datetime
    hub_at: datetime
