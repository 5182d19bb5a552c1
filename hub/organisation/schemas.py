"""Shapes of the organisation at the HTTP border."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StringConstraints, model_validator

from hub.api.times import Instant
from hub.api.values import Line
from hub.grids.schemas import GridId, Name, UnitId
from hub.organisation.model import Duty, Officer, OrgUnit

Kind = Literal["assistant", "staff"]
Phone = Annotated[str, StringConstraints(pattern=r"^[0-9+ -]{0,32}$")]


class OrgUnitIn(BaseModel):
    """A unit to make. Its place follows from its id: `JM/S1/Q1` is a squad of station `JM/S1` of bureau `JM`."""

    model_config = ConfigDict(extra="forbid")

    id: UnitId
    name: Name


class OrgUnitOut(BaseModel):
    """A unit."""

    id: str
    name: str
    level: Literal["bureau", "station", "squad", "segment", "grid"]
    parent: str | None

    @classmethod
    def of(cls, row: OrgUnit) -> Self:
        """Return the shape of a row."""
        return cls.model_validate({"id": row.id, "name": row.name, "level": row.level, "parent": row.parent_id})


class OfficerIn(BaseModel):
    """An officer to make."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    kind: Kind = Field(description="An assistant (协管员) may patrol and report, never inspect")
    certified: StrictBool = Field(default=False, description="Holds an enforcement certificate; staff only")
    unit: UnitId | None = None
    phone: Phone = ""


class OfficerEdit(BaseModel):
    """What to change of an officer; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    kind: Kind | None = None
    certified: StrictBool | None = None
    unit: UnitId | None = None
    phone: Phone | None = None
    active: StrictBool | None = None


class OfficerOut(BaseModel):
    """An officer."""

    id: UUID
    name: str
    kind: Kind
    certified: bool
    unit: str | None
    phone: str
    active: bool
    version: int

    @classmethod
    def of(cls, row: Officer) -> Self:
        """Return the shape of a row."""
        return cls.model_validate(
            {
                "id": row.id,
                "name": row.name,
                "kind": row.kind,
                "certified": row.certified,
                "unit": row.unit_id,
                "phone": row.phone,
                "active": row.active,
                "version": row.version,
            }
        )


class DutyIn(BaseModel):
    """A line of the roster to add."""

    model_config = ConfigDict(extra="forbid")

    officer: UUID
    grid: GridId
    role: Literal["holder", "deputy"] = "holder"
    since: Instant
    until: Instant = Field(description="Exclusive")

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if self.since >= self.until:
            raise ValueError("`since` must be earlier than `until`")
        return self


class DutyOut(BaseModel):
    """A line of the roster."""

    id: UUID
    officer: UUID
    grid: str
    role: Literal["holder", "deputy"]
    since: datetime
    until: datetime

    @classmethod
    def of(cls, row: Duty) -> Self:
        """Return the shape of a row."""
        return cls.model_validate(
            {
                "id": row.id,
                "officer": row.officer_id,
                "grid": row.grid_id,
                "role": row.role,
                "since": row.since,
                "until": row.until,
            }
        )


class HandOverIn(BaseModel):
    """Who takes a duty over, from now on."""

    model_config = ConfigDict(extra="forbid")

    to: UUID


class HandOverOut(BaseModel):
    """A hand-over: the new line of the roster, who said so, and the tasks that moved."""

    duty: DutyOut
    by: Line
    tasks: list[UUID]
