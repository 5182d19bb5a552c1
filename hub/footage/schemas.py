"""Shapes of footage at the HTTP border."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from hub.api.values import Line
from hub.footage.coverage import Coverage, Span
from hub.footage.model import Footage, FootageExport, FootageHold, FootageViewing
from hub.footage.retention import Category, kept_for
from hub.organisation.model import Duty

State = Literal["expected", "kept", "deleted"]
CategoryId = Literal["public_video", "ordinary", "case"]


class Body(BaseModel):
    """What people send: nothing beside what is asked for."""

    model_config = ConfigDict(extra="forbid")


class FootageEdit(Body):
    """What a person knows better than the recorder; what is left out stays, null unlinks."""

    officer: UUID | None = None
    subject: UUID | None = None
    task: UUID | None = None
    category: CategoryId | None = None


class ViewingIn(Body):
    """Why, what, which unit and who (公共安全视频图像信息系统管理条例 Art. 16(3))."""

    reason: Line = Field(description="事由: why it is looked at")
    content: Line = Field(description="内容: what of it is looked at")
    unit: Line = Field(description="单位: the unit of the person")
    name: Line = Field(description="姓名: the person")


class HoldIn(Body):
    """Why footage must not be deleted, and who says so."""

    reason: Line
    name: Line


class ExportIn(Body):
    """Why footage is handed out, to which unit, and to whom."""

    reason: Line
    unit: Line
    name: Line


class FootageOut(BaseModel):
    """One clip."""

    id: UUID
    sha256: str
    sm3: str = Field(description="SM3 (GB/T 32905-2016), empty until the bytes are here")
    size: int | None
    content_type: str
    state: State
    gateway: str | None
    device: str | None
    name: str = Field(description="File name on the recorder; a claim")
    at: datetime
    began_at: datetime | None = Field(description="Corrected by the offset of the recorder's clock")
    ended_at: datetime | None
    playable: bool | None = Field(description="false: it cannot be played, and is evidence all the same")
    facts: dict[str, Any] = Field(description="What the recorder's event said")
    category: str
    officer: UUID | None
    officer_by: str = Field(description="device, claim or person: how the officer was found")
    grid: str | None
    subject: UUID | None
    subject_by: str = Field(description="task, track or person: how the subject was found")
    task: UUID | None
    received_at: datetime | None
    keep_until: datetime | None = Field(description="When it is deleted, unless it is held")
    held: bool
    deleted_at: datetime | None
    version: int

    @classmethod
    def of(cls, row: Footage, keep_days: Mapping[str, float], *, held: bool) -> Self:
        """Return the shape of a row."""
        until = row.received_at + kept_for(row.category, keep_days) if row.received_at is not None else None
        return cls.model_validate(
            {
                "id": row.id,
                "sha256": row.sha256,
                "sm3": row.sm3,
                "size": row.size,
                "content_type": row.content_type,
                "state": row.state,
                "gateway": row.gateway,
                "device": row.device,
                "name": row.name,
                "at": row.at,
                "began_at": row.began_at,
                "ended_at": row.ended_at,
                "playable": row.playable,
                "facts": row.facts,
                "category": row.category,
                "officer": row.officer_id,
                "officer_by": row.officer_by,
                "grid": row.grid_id,
                "subject": row.subject_id,
                "subject_by": row.subject_by,
                "task": row.task_id,
                "received_at": row.received_at,
                "keep_until": until if row.state == "kept" else None,
                "held": held,
                "deleted_at": row.deleted_at,
                "version": row.version,
            }
        )


class ViewingOut(BaseModel):
    """A viewing; its content is at `url` for the key that stated the reason, until `until`."""

    id: UUID
    at: datetime
    until: datetime
    reason: str
    content: str
    unit: str
    name: str
    url: str

    @classmethod
    def of(cls, row: FootageViewing) -> Self:
        """Return the shape of a row."""
        return cls(
            id=row.id,
            at=row.at,
            until=row.until,
            reason=row.reason,
            content=row.content,
            unit=row.unit,
            name=row.name,
            url=f"/api/v1/footage/{row.footage_id}/content?viewing={row.id}",
        )


class HoldOut(BaseModel):
    """A hold, standing or lifted."""

    id: UUID
    reason: str
    name: str
    set_at: datetime
    lifted_at: datetime | None
    lifted_reason: str
    lifted_name: str

    @classmethod
    def of(cls, row: FootageHold) -> Self:
        """Return the shape of a row."""
        return cls(
            id=row.id,
            reason=row.reason,
            name=row.name,
            set_at=row.set_at,
            lifted_at=row.lifted_at,
            lifted_reason=row.lifted_reason,
            lifted_name=row.lifted_name,
        )


class ExportOut(BaseModel):
    """An export; its bundle is at `url`, and `diwang verify` checks it."""

    id: UUID
    at: datetime
    url: str

    @classmethod
    def of(cls, row: FootageExport) -> Self:
        """Return the shape of a row."""
        return cls(id=row.id, at=row.at, url=f"/api/v1/footage/{row.footage_id}/exports/{row.id}")


class CategoryOut(BaseModel):
    """A category of footage and how long it is kept here."""

    id: str
    zh: str
    en: str
    days: float
    article: str
    valid_from: date
    jurisdiction: str
    confirmed: bool = Field(description="Whether the number stands in the article, and is not only the usual one")

    @classmethod
    def of(cls, category: Category, keep_days: Mapping[str, float]) -> Self:
        """Return the shape of a category, with what this site has set."""
        return cls(
            id=category.id,
            zh=category.zh,
            en=category.en,
            days=kept_for(category.id, keep_days).total_seconds() / 86_400,
            article=category.article,
            valid_from=category.valid_from,
            jurisdiction=category.jurisdiction,
            confirmed=category.confirmed,
        )


class GapOut(BaseModel):
    """A stretch of a duty that was not recorded."""

    since: datetime = Field(serialization_alias="from")
    until: datetime = Field(serialization_alias="to")


class CoverageOut(BaseModel):
    """How much of one duty was recorded."""

    duty: UUID
    grid: str
    since: datetime = Field(serialization_alias="from", description="The duty's beginning, within what was asked for")
    until: datetime = Field(serialization_alias="to")
    recorded_s: float
    percent: float
    gaps: list[GapOut]

    @classmethod
    def of(cls, duty: Duty, asked: Span, coverage: Coverage) -> Self:
        """Return the shape of the coverage of a duty."""
        return cls(
            duty=duty.id,
            grid=duty.grid_id,
            since=asked.since,
            until=asked.until,
            recorded_s=coverage.recorded.total_seconds(),
            percent=round(coverage.share * 100, 2),
            gaps=[GapOut(since=gap.since, until=gap.until) for gap in coverage.gaps],
        )


class CoverageList(BaseModel):
    """The coverage of an officer's duties, in order."""

    items: list[CoverageOut]
    next: None = None
