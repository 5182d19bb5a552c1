"""Shapes of configurations at the HTTP border."""

import tomllib
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from hub.api.values import JsonObject, Line, Text
from hub.configs.checking import LARGEST
from hub.configs.differing import asked_since, differences
from hub.configs.model import ConfigReport, ConfigVersion
from hub.configs.standing import Standing, standing

Content = Annotated[str, StringConstraints(max_length=LARGEST, pattern=r"^[^\x00]*$")]
Bundle = Annotated[str, StringConstraints(max_length=64, pattern=r"^([0-9]{1,9}-[0-9a-f]{12})?$")]
Release = Annotated[str, StringConstraints(max_length=64, pattern=r"^([0-9A-Za-z][0-9A-Za-z.+!-]*)?$")]
Outcome = Literal["running", "waiting", "trying", "refused", "returned"]


class ConfigIn(BaseModel):
    """What a gateway is to run."""

    model_config = ConfigDict(extra="forbid")

    content: Content = Field(description="TOML: every section of docs/configuration.md but gateway and hub")
    release: Release = Field(default="", description="Version of the agent; empty leaves it as it is")
    reason: Line = Field(description="Why it is changed, for those who ask later")


class ConfigVersionOut(BaseModel):
    """One version of what a gateway was or is to run."""

    gateway: str
    version: int
    bundle: str = Field(description="What the gateway names in its state once it runs this")
    content: str
    release: str
    author: str
    reason: str
    created_at: datetime

    @classmethod
    def of(cls, row: ConfigVersion) -> Self:
        """Return the shape of a row."""
        return cls.model_validate(row, from_attributes=True)


class ReportIn(BaseModel):
    """What a gateway says of its configuration. Secrets are masked on the box."""

    model_config = ConfigDict(extra="forbid")

    bundle: Bundle = Field(description="What it runs; empty for the file that it came with")
    outcome: Outcome
    about: Annotated[str, StringConstraints(max_length=128, pattern=r"^[^\x00]*$")] = Field(
        default="", description="The bundle or release that waits, was tried, refused or returned from"
    )
    detail: Text = ""
    agent: Annotated[str, StringConstraints(max_length=128, pattern=r"^[^\x00]*$")] = Field(
        description="Version of the agent"
    )
    config: JsonObject = Field(description="The configuration that it runs, as a tree")


class ReportOut(BaseModel):
    """What a gateway last said of its configuration."""

    bundle: str
    outcome: Outcome
    about: str
    detail: str
    agent: str
    config: dict[str, Any]
    reported_at: datetime

    @classmethod
    def of(cls, row: ConfigReport) -> Self:
        """Return the shape of a row."""
        return cls.model_validate(
            {
                "bundle": row.bundle,
                "outcome": row.outcome,
                "about": row.about,
                "detail": row.detail,
                "agent": row.agent,
                "config": row.tree,
                "reported_at": row.reported_at,
            }
        )


class DifferenceOut(BaseModel):
    """A key in which what is desired and what is reported differ; null where one side lacks it."""

    path: str
    desired: Any
    reported: Any
    since: datetime = Field(description="Since when the hub has asked for this, at least")


class ConfigStanding(BaseModel):
    """Whether a gateway runs what it is to run."""

    gateway: str
    standing: Standing
    version: int = Field(description="Version that is desired, 0 when there is none")
    desired_bundle: str
    desired_at: datetime | None
    reported_bundle: str | None
    detail: str
    reported_at: datetime | None

    @classmethod
    def of(cls, gateway: str, desired: ConfigVersion | None, report: ConfigReport | None) -> Self:
        """Return where a gateway stands."""
        return cls(
            gateway=gateway,
            standing=standing(desired, report),
            version=desired.version if desired else 0,
            desired_bundle=desired.bundle if desired else "",
            desired_at=desired.created_at if desired else None,
            reported_bundle=report.bundle if report else None,
            detail=report.detail if report else "",
            reported_at=report.reported_at if report else None,
        )


class ConfigOut(BaseModel):
    """What a gateway is to run, what it says it runs, and in what these differ."""

    gateway: str
    standing: Standing
    desired: ConfigVersionOut | None
    reported: ReportOut | None
    differences: list[DifferenceOut] | None = Field(description="Null while one side is not known")

    @classmethod
    def of(cls, gateway: str, history: Sequence[ConfigVersion], report: ConfigReport | None) -> Self:
        """Return both sides and their differences; `history` is what was and is desired, newest first."""
        desired = history[0] if history else None
        return cls(
            gateway=gateway,
            standing=standing(desired, report),
            desired=ConfigVersionOut.of(desired) if desired else None,
            reported=ReportOut.of(report) if report else None,
            differences=_differences(history, report.tree) if history and report is not None else None,
        )


def _differences(history: Sequence[ConfigVersion], reported: dict[str, Any]) -> list[DifferenceOut]:
    desired, *before = history
    found = list(differences(tomllib.loads(desired.content), reported))
    earlier = ((row.created_at, tomllib.loads(row.content)) for row in before)
    since = asked_since(found, desired.created_at, reported, earlier)
    return [
        DifferenceOut(path=each.path, desired=each.desired, reported=each.reported, since=since[each.path])
        for each in found
    ]
