"""Shapes of the legal register at the HTTP border."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from hub.api.times import Day
from hub.api.values import Line
from hub.registers.duties import ZONES, Entry, Rule, View
from hub.registers.model import Register

Short = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Note = Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\x00]*$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
ZoneId = Annotated[str, Field(pattern="^(" + "|".join(ZONES) + ")$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Review(_Part):
    """The legal and technical review (行政处罚法 Art. 41): when, by whom in which role, and what it found."""

    on: Day
    by: Line
    role: Line
    legal: bool = Field(description="Its use is lawful: purpose, place, sign")
    technical: bool = Field(description="It is of the standard, and set up reasonably")


class Sign(_Part):
    """The sign that tells people of the recording."""

    posted_on: Day
    photo: Sha256 | None = Field(default=None, description="A picture of it, by POST /media")


class Location(_Part):
    """Where its place was published."""

    published_on: Day
    where: Line = Field(description="The notice, or its address")


class Filing(_Part):
    """Filed with the police (视频条例 Art. 14)."""

    filed_on: Day
    office: Line
    number: Line


class RegisterIn(_Part):
    """What is registered of a device, whole: what is left out is not known yet."""

    purpose: Short = ""
    basis: Short = Field(default="", description="Article that its use rests on")
    public_place: bool = Field(default=True, description="视频条例 Art. 13, 14 and 17 ask more in public places")
    in_use_since: Day | None = None
    review: Review | None = None
    sign: Sign | None = None
    location: Location | None = None
    zones: dict[ZoneId, View] = Field(
        default_factory=dict, description="Each forbidden zone: not in the picture, masked, or seen"
    )
    filing: Filing | None = None
    retention_days: int | None = Field(default=None, ge=1, le=36_500)
    note: Note = ""

    def entry(self) -> Entry:
        """Return what the rules look at."""
        return Entry(
            purpose=self.purpose.strip(),
            basis=self.basis.strip(),
            public_place=self.public_place,
            in_use_since=self.in_use_since,
            reviewed=self.review is not None and self.review.legal and self.review.technical,
            sign_posted=self.sign is not None and self.sign.photo is not None,
            location_published=self.location is not None,
            zones=self.zones,
            filed=self.filing is not None,
            retention_days=self.retention_days,
        )

    @classmethod
    def of_row(cls, row: Register | None) -> Self:
        """Return what a row holds; an empty register for none."""
        return cls() if row is None else cls.model_validate({name: getattr(row, name) for name in cls.model_fields})


class MissingOut(BaseModel):
    """Something that the law asks and the register does not show."""

    item: str
    article: str
    zh: str
    en: str

    @classmethod
    def of(cls, rule: Rule) -> Self:
        """Return the shape of a rule."""
        return cls(item=rule.item, article=rule.article, zh=rule.zh, en=rule.en)


class RegisterOut(RegisterIn):
    """What is registered of a device, and what is missing of it today."""

    gateway: str
    device: str
    missing: list[MissingOut]
    complete: bool
    filing_due_on: date | None = Field(description="Last day to file it; null when filed, or not asked for")
    changed_at: datetime | None
    changed_by: str
    version: int = Field(description="0 when nothing was registered yet")

    @classmethod
    def shaped(cls, gateway: str, device: str, row: Register | None, missing: Sequence[Rule]) -> Self:
        """Return the shape of a row and what is missing of it."""
        register = RegisterIn.of_row(row)
        return cls.model_validate(
            register.model_dump()
            | {
                "gateway": gateway,
                "device": device,
                "missing": [MissingOut.of(rule) for rule in missing],
                "complete": not missing,
                "filing_due_on": register.entry().filing_due_on,
                "changed_at": row.changed_at if row else None,
                "changed_by": row.changed_by if row else "",
                "version": row.version if row else 0,
            }
        )


class ZoneOut(BaseModel):
    """A zone in which nothing may be recorded."""

    id: str
    article: str
    zh: str
    en: str


class FilingLine(BaseModel):
    """What the police are told of one device in a public place."""

    gateway: str
    device: str
    gb28181_id: str | None
    subject: str | None
    uscc: str | None
    address: str | None
    latitude: float | None
    longitude: float | None
    purpose: str
    in_use_since: date | None
    retention_days: int | None
    due_on: date | None
    filed_on: date | None
    office: str | None
    number: str | None


class Filings(BaseModel):
    """Everything that is to be filed, or was."""

    items: list[FilingLine]
