"""Tables of the custody log. Rows are only ever added; a checkpoint gets its time stamp later."""

from datetime import datetime

from sqlalchemy import BigInteger, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.base import Base


class CustodyLog(Base):
    """The one row that says how many entries there are; whoever appends holds it, so that entries have an order."""

    __tablename__ = "custody_log"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    size: Mapped[int] = mapped_column(BigInteger)


class CustodyEntry(Base):
    """One act. `leaf` is what the tree commits to, byte for byte; the other columns repeat it for searching.

    `number` counts from 0. `item` is the SHA-256 of the evidence that the act is about.
    """

    __tablename__ = "custody_entry"

    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(64))
    item: Mapped[str] = mapped_column(String(64), index=True)
    leaf: Mapped[str] = mapped_column(Text)


class CustodyNode(Base):
    """The hash of a perfect subtree (hub/custody/tree.py)."""

    __tablename__ = "custody_node"

    level: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    place: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))


class CustodyCheckpoint(Base):
    """A signed checkpoint. `stamp` is the DER of an RFC 3161 response over the note's bytes."""

    __tablename__ = "custody_checkpoint"

    size: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    root: Mapped[bytes] = mapped_column(LargeBinary(32))
    note: Mapped[str] = mapped_column(Text)
    signed_at: Mapped[datetime]
    stamp: Mapped[bytes | None] = mapped_column(LargeBinary)
    stamped_at: Mapped[datetime | None]
