"""Shapes of subjects and their archives at the HTTP border."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from hub.api.places import Latitude, Longitude, placed
from hub.api.values import Line
from hub.subjects import identifiers
from hub.subjects.model import ArchiveEntry, Subject

Status = Literal["candidate", "claimed", "verified", "operating", "suspended", "closed", "moved", "not_found"]


def _plain(value: object) -> object:
    return value.strip().upper() if isinstance(value, str) else value


Uscc = Annotated[
    str,
    BeforeValidator(_plain),
    StringConstraints(pattern="^[0-9A-Z]{1,18}$"),
    Field(description="Unified social credit code (GB 32100-2015); a wrong check digit is flagged, not refused"),
]
Licence = Annotated[
    str,
    BeforeValidator(_plain),
    StringConstraints(min_length=1, max_length=32, pattern=r"^[^\x00-\x1f\x7f]+$"),
    Field(description="Licence number; JY and 14 digits for food"),
]
Category = Annotated[str, StringConstraints(max_length=32, pattern=r"^[^\x00-\x1f\x7f]*$")]
Address = Annotated[str, StringConstraints(max_length=300, pattern=r"^[^\x00-\x1f\x7f]*$")]


class SubjectIn(BaseModel):
    """A subject to make. Its grid follows from its coordinates."""

    model_config = ConfigDict(extra="forbid")

    name: Line
    uscc: Uscc | None = None
    licence: Licence | None = None
    category: Category = ""
    status: Status = "operating"
    address: Address = ""
    latitude: Latitude | None = None
    longitude: Longitude | None = None

    _placed = model_validator(mode="after")(placed)


class SubjectEdit(BaseModel):
    """What to change of a subject; what is left out stays, null empties."""

    model_config = ConfigDict(extra="forbid")

    name: Line = ""
    uscc: Uscc | None = None
    licence: Licence | None = None
    category: Category = ""
    status: Status = "operating"
    address: Address = ""
    latitude: Latitude | None = None
    longitude: Longitude | None = None

    _placed = model_validator(mode="after")(placed)


class SubjectOut(BaseModel):
    """A subject."""

    id: UUID
    name: str
    uscc: str | None
    licence: str | None
    category: str
    status: Status
    status_at: datetime = Field(description="When the status was last set")
    address: str
    latitude: float | None
    longitude: float | None
    grid: str | None
    flags: list[str] = Field(description="What is doubtful about its numbers")
    created_at: datetime
    version: int

    @classmethod
    def of(cls, row: Subject) -> Self:
        """Return the shape of a row."""
        return cls.model_validate(
            {
                "id": row.id,
                "name": row.name,
                "uscc": row.uscc,
                "licence": row.licence,
                "category": row.category,
                "status": row.status,
                "status_at": row.status_at,
                "address": row.address,
                "latitude": row.latitude,
                "longitude": row.longitude,
                "grid": row.grid_id,
                "flags": identifiers.flags(row.uscc, row.licence),
                "created_at": row.created_at,
                "version": row.version,
            }
        )


class RefusedLine(BaseModel):
    """A line of an import that was not taken."""

    line: int = Field(description="Counted from 1; the heading of a CSV is line 1")
    detail: str


class SubjectsImported(BaseModel):
    """What an import did. Every line is counted once."""

    created: int
    known: int = Field(description="Their USCC was there already; nothing was changed")
    refused: int
    refused_lines: list[RefusedLine] = Field(description="The first thousand of the refused")
    flagged: int = Field(description="Of the created: with a doubtful number")
    without_grid: int = Field(description="Of the created: in no grid, or without coordinates")


class ArchiveOut(BaseModel):
    """One line of a subject's archive."""

    at: datetime
    kind: str
    summary: str
    ref: str
    data: dict[str, Any]
    written_at: datetime

    @classmethod
    def of(cls, row: ArchiveEntry) -> Self:
        """Return the shape of a row."""
        return cls(at=row.at, kind=row.kind, summary=row.summary, ref=row.ref, data=row.data, written_at=row.written_at)
