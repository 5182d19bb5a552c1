"""Shapes of complaints at the HTTP border."""

from datetime import datetime
from typing import Annotated, Final, Literal, Self
from uuid import UUID

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from hub.complaints.model import Complaint, ReporterViewing
from hub.ingest.reading import sniffed

Kind = Literal["complaint", "report", "suggestion"]
State = Literal["received", "accepted", "refused", "duplicate"]
Told = Annotated[str, StringConstraints(min_length=1, max_length=2000, pattern=r"^[^\x00]+$", strip_whitespace=True)]
Place = Annotated[str, StringConstraints(max_length=300, pattern=r"^[^\x00-\x1f\x7f]*$", strip_whitespace=True)]
Person = Annotated[str, StringConstraints(max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$", strip_whitespace=True)]
Phone = Annotated[str, StringConstraints(pattern=r"^[0-9+ -]{0,32}$", strip_whitespace=True)]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00]*\S[^\x00]*$")]
Note = Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\x00]*$")]

LARGEST_PHOTO: Final = 512 * 1024


class ComplaintIn(BaseModel):
    """What somebody has to say. Names are given freely; a report may be anonymous."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    what: Told = Field(description="What happened")
    place: Place = Field(default="", description="Where, when no subject is chosen")
    subject: UUID | None = Field(default=None, description="The business that it is about")
    person: Person = ""
    phone: Phone = ""
    photo: Base64Bytes | None = Field(default=None, description="A JPEG or WebP picture of at most 512 KiB, in base64")

    @field_validator("photo")
    @classmethod
    def _a_picture(cls, photo: bytes | None) -> bytes | None:
        if photo is not None and (len(photo) > LARGEST_PHOTO or sniffed(photo) is None):
            raise ValueError("neither a JPEG nor a WebP picture of at most 512 KiB")
        return photo

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if self.kind != "suggestion" and not self.place and self.subject is None:
            raise ValueError("say where it was: a place or a subject")
        return self


class ReceiptOut(BaseModel):
    """What the person takes home."""

    receipt: str = Field(description="The number to ask by")
    received_at: datetime
    qr: str = Field(description="The number as a QR code, an SVG picture")


class ComplaintOut(BaseModel):
    """A complaint, without who it came from."""

    id: UUID
    receipt: str
    received_at: datetime
    kiosk: UUID | None
    kind: Kind
    what: str
    place: str
    subject: UUID | None
    named: bool = Field(description="Whether the person left a name or number: POST …/reporter tells it for a reason")
    photo: str | None = Field(description="SHA-256 of the picture, as /media has it")
    state: State
    state_at: datetime
    sorted_by: str
    note: str
    version: int

    @classmethod
    def of(cls, row: Complaint) -> Self:
        """Return the shape of a row."""
        own = {"kiosk": row.kiosk_id, "subject": row.subject_id, "named": bool(row.person or row.phone)}
        return cls.model_validate({name: own[name] if name in own else getattr(row, name) for name in cls.model_fields})


class SortingIn(BaseModel):
    """What becomes of a complaint."""

    model_config = ConfigDict(extra="forbid")

    outcome: Literal["accepted", "refused", "duplicate"]
    note: Note = Field(default="", description="Why; needed for all but an acceptance")
    subject: UUID | None = Field(default=None, description="The business that it is about, when that was found out")

    @model_validator(mode="after")
    def _reasoned(self) -> Self:
        if self.outcome != "accepted" and not self.note.strip():
            raise ValueError("say why in the note")
        return self


class ViewingIn(BaseModel):
    """Why somebody has to know who complained."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason


class ViewingOut(BaseModel):
    """Who looked at a name, and why."""

    at: datetime
    by: str
    reason: str

    @classmethod
    def of(cls, row: ReporterViewing) -> Self:
        """Return the shape of a row."""
        return cls(at=row.at, by=row.by, reason=row.reason)


class ReporterOut(BaseModel):
    """Who complained, as far as they said, and everybody who looked so far."""

    person: str
    phone: str
    viewings: list[ViewingOut]
