"""Shapes of installations at the HTTP border."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from hub.api.places import Latitude, Longitude
from hub.api.values import Level
from hub.installations.certifying import in_words
from hub.installations.judging import Item, Verdict, ready
from hub.installations.model import Installation, InstallationState
from hub.registers.duties import View
from hub.registers.schemas import ZoneId
from hub.subjects.model import Subject
from hub.words.catalogue import Language, words

Person = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]


class InstallerIn(BaseModel):
    """Who installs."""

    model_config = ConfigDict(extra="forbid")

    installer: Person = Field(description="As it stands on the certificate")


class PlacementIn(BaseModel):
    """Whose box it is, and where it stands."""

    model_config = ConfigDict(extra="forbid")

    subject: UUID
    latitude: Latitude
    longitude: Longitude
    accuracy_m: Annotated[float, Field(ge=0, le=10_000, description="Radius that the position is good to")]
    fixes: Annotated[int, Field(ge=1, le=100_000, description="How many positions it is the mean of")] = 1


class ZonesIn(BaseModel):
    """What of the forbidden zones is in a camera's picture."""

    model_config = ConfigDict(extra="forbid")

    zones: dict[ZoneId, View]


class CertificateIn(BaseModel):
    """Where the certificate goes."""

    model_config = ConfigDict(extra="forbid")

    printer: Level | None = Field(default=None, description="A printer of this box; left out: it is not printed")
    language: Language = "zh-CN"


class SubjectFound(BaseModel):
    """A subject that an installer may mean."""

    id: UUID
    name: str
    licence: str | None
    address: str
    grid: str | None

    @classmethod
    def of(cls, row: Subject) -> Self:
        """Return the shape of a row."""
        return cls(id=row.id, name=row.name, licence=row.licence, address=row.address, grid=row.grid_id)


class SubjectsFound(BaseModel):
    """Some subjects that fit."""

    items: list[SubjectFound]


class ItemOut(BaseModel):
    """One thing that was looked at."""

    code: str
    verdict: Verdict
    device: str = Field(description="Empty: the box itself")
    text: str
    facts: dict[str, str]

    @classmethod
    def of(cls, item: Item, language: Language) -> Self:
        """Return the shape of a verdict, in words."""
        facts = dict(item.facts)
        text = in_words({"code": item.code, "facts": facts}, words(language)["installation"])
        return cls(code=item.code, verdict=item.verdict, device=item.device, text=text, facts=facts)


class InstallationOut(BaseModel):
    """An installation as it stands."""

    id: UUID
    gateway: str
    state: InstallationState
    installer: str
    opened_at: datetime
    subject: UUID | None
    latitude: float | None
    longitude: float | None
    accuracy_m: float | None
    placed_at: datetime | None
    number: str | None = Field(description="Of the certificate")
    certified_at: datetime | None
    digest: str | None
    printing: UUID | None = Field(description="The command that prints the certificate")

    @classmethod
    def of(cls, row: Installation) -> Self:
        """Return the shape of a row."""
        return cls(
            id=row.id,
            gateway=row.gateway,
            state=InstallationState(row.state),
            installer=row.installer,
            opened_at=row.opened_at,
            subject=row.subject_id,
            latitude=row.latitude,
            longitude=row.longitude,
            accuracy_m=row.accuracy_m,
            placed_at=row.placed_at,
            number=row.number,
            certified_at=row.certified_at,
            digest=row.digest,
            printing=row.printing,
        )


class CheckOut(BaseModel):
    """What was found so far: ask again while anything waits."""

    ready: bool = Field(description="Everything is good: it may be certified")
    items: list[ItemOut]

    @classmethod
    def of(cls, items: Sequence[Item], language: Language) -> Self:
        """Return the shape of all verdicts."""
        return cls(ready=ready(tuple(items)), items=[ItemOut.of(each, language) for each in items])


class CertificateOut(InstallationOut):
    """A certified installation, with what the certificate says and where anyone verifies it."""

    content: dict[str, Any]
    verify: str

    @classmethod
    def at(cls, row: Installation, verify: str) -> Self:
        """Return the shape of a certified row."""
        return cls(**InstallationOut.of(row).model_dump(), content=row.content or {}, verify=verify)


class FindingOut(BaseModel):
    """What was found good of a device when it was certified."""

    device: str = Field(description="Empty: the box itself")
    text: str


class LastCertificateOut(CertificateOut):
    """The newest certificate of a gateway, with what was found in words."""

    findings: list[FindingOut]
    current: bool = Field(description="Nothing was installed anew since: false once another installation was begun")

    @classmethod
    def last(cls, row: Installation, verify: str, language: Language, *, current: bool) -> Self:
        """Return the shape of the row that was certified last."""
        said = words(language)["installation"]
        made = CertificateOut.at(row, verify)
        found = [FindingOut(device=each["device"], text=in_words(each, said)) for each in made.content["items"]]
        return cls(**made.model_dump(), findings=found, current=current)
