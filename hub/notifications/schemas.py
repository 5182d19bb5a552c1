"""Shapes of channels and of the ledger at the HTTP border."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StringConstraints, model_validator

from hub.grids.schemas import Name
from hub.notifications.channels import NewChannel
from hub.notifications.contract import Occasion
from hub.notifications.model import Channel, Notification
from protocol.messages import Severity

Kind = Literal["webhook", "console"]
State = Literal["queued", "accepted", "dead"]
Url = Annotated[str, StringConstraints(min_length=1, max_length=2000, pattern=r"^[\x21-\x7e]+$")]


class ChannelIn(BaseModel):
    """A channel to make."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    kind: Kind = "webhook"
    url: Url | None = Field(default=None, description="Where a webhook goes: https, or what the configuration allows")
    minimum_severity: Severity = Severity.MINOR

    @model_validator(mode="after")
    def _addressed(self) -> Self:
        if (self.kind == "webhook") != (self.url is not None):
            raise ValueError("a webhook has a url, a console has none")
        return self


class ChannelEdit(BaseModel):
    """What to change of a channel; what is left out stays. Its kind and secret never change."""

    model_config = ConfigDict(extra="forbid")

    url: Url | None = None
    minimum_severity: Severity | None = None
    enabled: StrictBool | None = None


class ChannelOut(BaseModel):
    """A channel, without its secret."""

    id: UUID
    name: str
    kind: Kind
    url: str | None
    minimum_severity: Severity
    enabled: bool
    created_at: datetime
    version: int

    @classmethod
    def of(cls, row: Channel) -> Self:
        """Return the shape of a row."""
        return cls.model_validate(_columns(row))


class ChannelCreated(ChannelOut):
    """A new channel with its secret, which is shown this once."""

    secret: str | None = Field(description="Signs every webhook (Standard Webhooks); null for a console")

    @classmethod
    def made(cls, new: NewChannel) -> Self:
        """Return the shape of a channel that was just made."""
        return cls.model_validate(_columns(new.channel) | {"secret": new.secret or None})


class NotificationOut(BaseModel):
    """One line of the ledger: what was told to whom, and whether they took it."""

    id: UUID
    alert: UUID
    channel: UUID
    occasion: Occasion
    state: State
    tries: int
    queued_at: datetime
    accepted_at: datetime | None
    last_error: str
    payload: dict[str, Any] = Field(description="The CloudEvent")

    @classmethod
    def of(cls, row: Notification) -> Self:
        """Return the shape of a row."""
        return cls.model_validate(
            {
                "id": row.id,
                "alert": row.alert_id,
                "channel": row.channel_id,
                "occasion": row.occasion,
                "state": row.state,
                "tries": row.tries,
                "queued_at": row.queued_at,
                "accepted_at": row.accepted_at,
                "last_error": row.last_error,
                "payload": row.payload,
            }
        )


def _columns(row: Channel) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "kind": row.kind,
        "url": row.options.get("url"),
        "minimum_severity": row.minimum_severity,
        "enabled": row.enabled,
        "created_at": row.created_at,
        "version": row.version,
    }
