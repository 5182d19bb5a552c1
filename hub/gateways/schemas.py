"""Shapes of gateways at the HTTP border."""

from datetime import datetime
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from hub.api.values import Level
from hub.gateways.model import Gateway
from hub.ingest.repository import Run

GatewayStatus = Literal["online", "offline", "revoked"]


class GatewayIn(BaseModel):
    """A gateway to register."""

    model_config = ConfigDict(extra="forbid")

    gateway: Level = Field(description="Its name: MQTT client id, user name and certificate CN")


class GatewayCreated(BaseModel):
    """What the box needs to connect. The password is shown this once."""

    gateway: str
    username: str
    password: str
    broker: str = Field(description="mqtt://host:port")


class Gap(BaseModel):
    """Sequence numbers of batches that never came, both ends included."""

    epoch: UUID
    first: int
    last: int


class GatewayOut(BaseModel):
    """A gateway as it last spoke."""

    gateway: str
    status: GatewayStatus
    last_seen_at: datetime | None
    created_at: datetime
    revoked_at: datetime | None
    state_at: datetime | None = Field(description="The gateway's own time of its last state")
    clock_behind_s: float | None = Field(description="By how much its clock was wrong; null within a minute")
    agent: str
    config: str
    outbox: dict[str, Any] | None

    @classmethod
    def of(cls, row: Gateway) -> Self:
        """Return the shape of a row."""
        return cls(
            gateway=row.gateway,
            status="revoked" if row.revoked_at else "online" if row.online else "offline",
            last_seen_at=row.last_seen_at,
            created_at=row.created_at,
            revoked_at=row.revoked_at,
            state_at=row.state_at,
            clock_behind_s=row.clock_behind_s,
            agent=row.agent,
            config=row.config,
            outbox=row.outbox,
        )


class GatewayDetail(GatewayOut):
    """A gateway with what is missing of its current enrolment; the first thousand gaps."""

    gaps: list[Gap] = []

    def with_gaps(self, epoch: UUID, missing: list[Run]) -> Self:
        """Return the same with these gaps."""
        return self.model_copy(
            update={"gaps": [Gap(epoch=epoch, first=run.first, last=run.last) for run in missing[:1000]]}
        )
