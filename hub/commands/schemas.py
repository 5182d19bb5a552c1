"""Shapes of commands at the HTTP border."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from hub.api.times import Instant
from hub.api.values import JsonObject, Level
from hub.commands.model import IssuedCommand

CommandName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_.-]{0,63}$")]


class CommandIn(BaseModel):
    """An order to a gateway, or to one of its devices."""

    model_config = ConfigDict(extra="forbid")

    gateway: Level
    device: Level | None = Field(default=None, description="Left out: the gateway itself")
    name: CommandName = Field(examples=["print", "snapshot", "clip", "configure", "restart", "locate"])
    args: JsonObject = Field(default_factory=dict, description="At most 64 KiB as JSON")
    expires_at: Instant | None = Field(default=None, description="When it is too late; five minutes when left out")


class CommandOut(BaseModel):
    """An order and what became of it."""

    id: UUID
    gateway: str
    device: str | None
    name: str
    args: dict[str, Any]
    issued_by: str
    issued_at: datetime
    expires_at: datetime
    state: str = Field(description="pending, done, failed, expired or unsupported")
    times_sent: int
    sent_at: datetime | None
    replied_at: datetime | None
    data: dict[str, Any] | None = Field(description="What the device answered")

    @classmethod
    def of(cls, row: IssuedCommand) -> Self:
        """Return the shape of a row."""
        return cls(
            id=row.id,
            gateway=row.gateway,
            device=row.device,
            name=row.name,
            args=row.args,
            issued_by=row.issued_by,
            issued_at=row.issued_at,
            expires_at=row.expires_at,
            state=row.state,
            times_sent=row.times_sent or 0,
            sent_at=row.sent_at,
            replied_at=row.replied_at,
            data=row.data,
        )
