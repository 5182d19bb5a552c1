"""Shapes of the custody log at the HTTP border. Hashes and paths are base64, as in checkpoints."""

import base64
from datetime import datetime
from typing import Self

from pydantic import BaseModel, Field

from hub.custody.model import CustodyCheckpoint, CustodyEntry


class LogOut(BaseModel):
    """The log: its name, its public key, and how far it has come."""

    name: str
    key: str = Field(description="Verifier key, as c2sp.org/signed-note writes it; give it to `diwang verify --key`")
    fingerprint: str = Field(description="SHA-256 of the public key, to compare with what was published on paper")
    entries: int
    checkpoint: str | None = Field(description="The newest signed checkpoint (c2sp.org/tlog-checkpoint)")
    stamped_at: datetime | None = Field(description="Time of the stamp (RFC 3161) over that checkpoint")


class EntryOut(BaseModel):
    """One act. SHA-256(0x00 ‖ leaf) is its leaf in the tree (RFC 6962)."""

    number: int
    at: datetime
    kind: str
    item: str = Field(description="SHA-256 of the evidence that it is about")
    leaf: str = Field(description="The text that the tree commits to, byte for byte")

    @classmethod
    def of(cls, row: CustodyEntry) -> Self:
        """Return the shape of a row."""
        return cls(number=row.number, at=row.at, kind=row.kind, item=row.item, leaf=row.leaf)


class CheckpointOut(BaseModel):
    """A seal of the log's first `size` entries."""

    size: int
    root: str
    note: str
    signed_at: datetime
    stamp: str | None = Field(description="RFC 3161 response over the note's bytes, DER in base64")
    stamped_at: datetime | None

    @classmethod
    def of(cls, row: CustodyCheckpoint) -> Self:
        """Return the shape of a row."""
        return cls(
            size=row.size,
            root=encoded(row.root),
            note=row.note,
            signed_at=row.signed_at,
            stamp=encoded(row.stamp) if row.stamp is not None else None,
            stamped_at=row.stamped_at,
        )


class InclusionOut(BaseModel):
    """Why an entry is in the log (RFC 6962 section 2.1.1)."""

    number: int
    size: int
    root: str
    path: list[str]


class ConsistencyOut(BaseModel):
    """Why a log is an earlier one continued (RFC 6962 section 2.1.2)."""

    first: int
    first_root: str
    size: int
    root: str
    path: list[str]


def encoded(value: bytes) -> str:
    """Return bytes as base64."""
    return base64.b64encode(value).decode()
