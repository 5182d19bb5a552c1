"""The table of creating requests that were answered."""

from datetime import datetime

from sqlalchemy import LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.base import Base


class CreationRow(Base):
    """One creation: SHA-256 of (caller, Idempotency-Key), SHA-256 of the request, and the sealed answer."""

    __tablename__ = "creation"

    id: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    request_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    at: Mapped[datetime] = mapped_column(index=True)
    status: Mapped[int | None]
    location: Mapped[str | None] = mapped_column(String(1000))
    answer: Mapped[bytes | None] = mapped_column(LargeBinary)
