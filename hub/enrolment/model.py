"""The table of work orders for boxes."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.base import Base


class OrderState(StrEnum):
    """How far a work order has come."""

    OPEN = "open"
    """Nobody has used its code."""

    WAITING = "waiting"
    """A box has used its code, and somebody has to confirm that it is the right box."""

    ISSUED = "issued"
    """The box has its certificate."""

    REFUSED = "refused"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    """Too late; never stored, it follows from `expires_at`."""


class Enrolment(Base):
    """One work order. The code itself is stored nowhere: `code_digest` is the SHA-256 of its 80 random bits.

    `request` is the PKCS 10 request of the box that used the code, `key_digest` the SHA-256 of its public key: that
    box, and no other, may ask again. `tries` counts the uses of the code that were refused. `epoch` is where the
    sequence numbers of the new identity begin.
    """

    __tablename__ = "enrolment"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    gateway: Mapped[str] = mapped_column(String(64), index=True)
    subject: Mapped[UUID | None] = mapped_column(ForeignKey("subject.id", ondelete="SET NULL"))
    note: Mapped[str] = mapped_column(String(200))
    replaces: Mapped[bool]
    confirmation: Mapped[bool]
    code_digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    state: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(12))
    expires_at: Mapped[datetime] = mapped_column(index=True)
    tries: Mapped[int]
    used_at: Mapped[datetime | None]
    key_digest: Mapped[str | None] = mapped_column(String(64))
    request: Mapped[str | None] = mapped_column(Text)
    check_digits: Mapped[str | None] = mapped_column(String(6))
    decided_by: Mapped[str | None] = mapped_column(String(12))
    serial: Mapped[str | None] = mapped_column(String(40))
    epoch: Mapped[UUID]

    def state_at(self, now: datetime) -> OrderState:
        """Return how far it has come: what is not settled when the time is over has expired."""
        state = OrderState(self.state)
        over = state in {OrderState.OPEN, OrderState.WAITING} and now >= self.expires_at
        return OrderState.EXPIRED if over else state
