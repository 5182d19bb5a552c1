"""The table of set-up tokens."""

from datetime import datetime

from sqlalchemy import LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.base import Base


class SetupToken(Base):
    """One token that was shown on the console. `digest` is the SHA-256 of its 80 random bits, which live for an hour.

    `voided_at` is when a newer one took its place.
    """

    __tablename__ = "setup_token"

    digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    voided_at: Mapped[datetime | None]
