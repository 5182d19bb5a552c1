"""Tables of ingest: what has been taken, what is missing, and what could not be read."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.base import Base


class TakenBatch(Base):
    """A batch whose events, positions and receipts have had their effects; batches of readings alone are not listed."""

    __tablename__ = "taken_batch"

    gateway: Mapped[str] = mapped_column(String(64), primary_key=True)
    epoch: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    taken_at: Mapped[datetime] = mapped_column(index=True)


class SequenceRange(Base):
    """A run of sequence numbers of one enrolment that have all arrived, both ends included; gaps lie between runs."""

    __tablename__ = "sequence_range"

    gateway: Mapped[str] = mapped_column(String(64), primary_key=True)
    epoch: Mapped[UUID] = mapped_column(primary_key=True)
    first: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    last: Mapped[int] = mapped_column(BigInteger)


class DeadLetter(Base):
    """What came over the wire and could not be used, with its bytes and the reason.

    `digest` (SHA-256 of gateway, topic, place and bytes) makes a resent message one letter. `part` says what it is:
    `message` (a whole payload), `record` (one of a batch), `value` (one value of a reading), `image`.
    """

    __tablename__ = "dead_letter"
    __table_args__ = (Index("ix_dead_letter_gateway_at", "gateway", "at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    at: Mapped[datetime]
    gateway: Mapped[str] = mapped_column(String(64))
    topic: Mapped[str] = mapped_column(String(300))
    part: Mapped[str] = mapped_column(String(16))
    batch: Mapped[UUID | None]
    position: Mapped[int | None]
    reason: Mapped[str] = mapped_column(Text)
    size: Mapped[int]
    payload: Mapped[bytes] = mapped_column(LargeBinary)
    times_seen: Mapped[int] = mapped_column(default=1)
    replayed_at: Mapped[datetime | None]
    replay_result: Mapped[str | None] = mapped_column(Text)
