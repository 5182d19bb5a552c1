"""Shapes of recalls and scans at the HTTP border."""

from datetime import date, datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from hub.api.times import Day
from hub.api.values import Line
from hub.recalls.matching import GTIN_DIGITS, in_order
from hub.recalls.model import Recall, Scan

Gtin = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{8,14}$"),
    Field(description="GTIN, EAN or UPC; all levels of packaging of the item are meant"),
]
Batch = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]
Note = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00-\x1f\x7f]+$")]


class RecallIn(BaseModel):
    """A recall to enter. Of the product it covers what fits everything that is given: batch, range, dates."""

    model_config = ConfigDict(extra="forbid")

    gtin: Gtin
    batch: Batch | None = Field(default=None, description="A batch number; * stands for any characters, ? for one")
    batch_from: Batch | None = Field(default=None, description="First of a range that differs in its numbers only")
    batch_to: Batch | None = Field(default=None, description="Last of that range")
    produced_from: Day | None = Field(default=None, description="First day of production")
    produced_to: Day | None = Field(default=None, description="Last day of production")
    level: int = Field(ge=1, le=3, description="食品召回管理办法 Art. 13: 1 harms health, 2 may, 3 labelled wrongly")
    product: Note = Field(default="", description="What it is called")
    reason: Reason
    article: Note = Field(default="", description="The rule that it rests on")
    document: Line = Field(description="Number of the notice that orders it")
    recalled_on: Day

    @model_validator(mode="after")
    def _extent(self) -> Self:
        if (self.batch_from is None) != (self.batch_to is None):
            raise ValueError("batch_from and batch_to come together")
        if self.batch is not None and self.batch_from is not None:
            raise ValueError("either a batch or a range of batches")
        if self.batch_from is not None and self.batch_to is not None and not in_order(self.batch_from, self.batch_to):
            raise ValueError("batch_from and batch_to differ in their numbers only, and are in order")
        if self.produced_from and self.produced_to and self.produced_from > self.produced_to:
            raise ValueError("produced_from is not after produced_to")
        return self


class WithdrawalIn(BaseModel):
    """Why a recall is withdrawn."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason


class RecallOut(BaseModel):
    """A recall."""

    id: UUID
    gtin: str
    batch: str | None
    batch_from: str | None
    batch_to: str | None
    produced_from: date | None
    produced_to: date | None
    level: int
    product: str
    reason: str
    article: str
    document: str
    recalled_on: date
    created_at: datetime
    created_by: str
    withdrawn_at: datetime | None
    withdrawn_because: str
    scans_found: int = Field(default=0, description="Scans that it covers, certainly or possibly")
    version: int

    @classmethod
    def of(cls, row: Recall) -> Self:
        """Return the shape of a row, without what was found."""
        return cls.model_validate({name: getattr(row, name) for name in cls.model_fields if name != "scans_found"})


class RefusedLine(BaseModel):
    """A line of an import that was not taken."""

    line: int = Field(description="Counted from 1; the heading is line 1")
    detail: str


class RecallsImported(BaseModel):
    """What an import did. Every line is counted once."""

    created: int
    known: int = Field(description="The same extent by the same document was there already")
    refused: int
    refused_lines: list[RefusedLine] = Field(description="The first thousand of the refused")


class ScanOut(BaseModel):
    """A product that was scanned; `flaws` names what is wrong with its code."""

    id: UUID
    event: UUID
    gateway: str
    device: str
    subject: UUID | None
    at: datetime
    gtin: str = Field(description=f"{GTIN_DIGITS} digits")
    batch: str | None
    serial: str | None
    produced: date | None
    expiry: date | None
    flaws: list[Any]

    @classmethod
    def of(cls, row: Scan) -> Self:
        """Return the shape of a row."""
        fields = {name: getattr(row, name) for name in cls.model_fields if name != "subject"}
        return cls.model_validate(fields | {"subject": row.subject_id})
