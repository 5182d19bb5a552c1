"""Shapes of kiosks at the HTTP border."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from hub.api.values import Level, Line
from hub.kiosks.model import Kiosk
from hub.subjects.model import Subject

Place = Annotated[str, StringConstraints(max_length=300, pattern=r"^[^\x00-\x1f\x7f]*$")]
Version = Annotated[str, StringConstraints(max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")]


class KioskIn(BaseModel):
    """A kiosk to set up: a device of a registered gateway."""

    model_config = ConfigDict(extra="forbid")

    gateway: Level
    device: Level
    name: Line
    place: Place = Field(default="", description="Where it stands, for people")


class KioskOut(BaseModel):
    """A kiosk, and whether its page is alive."""

    id: UUID
    gateway: str
    device: str
    name: str
    place: str
    status: Literal["new", "ok", "lost", "retired"]
    last_heard_at: datetime | None
    page: str = Field(description="Version of the page that it shows")
    created_at: datetime

    @classmethod
    def of(cls, row: Kiosk) -> Self:
        """Return the shape of a row."""
        return cls.model_validate(_fields(row))


class KioskCreated(KioskOut):
    """A new kiosk with the key of its page, which nobody can read again."""

    key: str = Field(description="Open /kiosk#key=… once in the kiosk's browser")

    @classmethod
    def with_key(cls, row: Kiosk, key: str) -> Self:
        """Return the shape of a row and its key."""
        return cls.model_validate(_fields(row) | {"key": key})


class KioskHere(BaseModel):
    """What a kiosk's page shows of itself."""

    name: str
    place: str


class BeatIn(BaseModel):
    """A word of life from a kiosk's page."""

    model_config = ConfigDict(extra="forbid")

    page: Version = Field(description="Version of the page")


class BeatOut(BaseModel):
    """What the page is to know."""

    page: str = Field(description="Version that the hub serves: a page of another one loads itself anew when idle")


class PublicSubject(BaseModel):
    """What everybody may know of a business."""

    id: UUID
    name: str
    address: str
    category: str
    licence: str | None
    status: str
    status_at: datetime

    @classmethod
    def of(cls, row: Subject) -> Self:
        """Return what is public of a row."""
        return cls.model_validate({name: getattr(row, name) for name in cls.model_fields})


class PublicSubjects(BaseModel):
    """Businesses that fit; more than these are not told."""

    items: list[PublicSubject]
    more: bool = Field(description="Whether there are others that fit: search with more letters")


def _fields(row: Kiosk) -> dict[str, object]:
    if row.retired_at is not None:
        status = "retired"
    elif row.last_heard_at is None:
        status = "new"
    else:
        status = "lost" if row.silence_id is not None else "ok"
    names = ("id", "gateway", "device", "name", "place", "last_heard_at", "page", "created_at")
    return {"status": status} | {name: getattr(row, name) for name in names}
