"""What one message from a gateway turned out to be, once read."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from hub.telemetry.contract import Arrival
from protocol.messages import Reply, State


class Part(StrEnum):
    """What a dead letter holds."""

    MESSAGE = "message"
    RECORD = "record"
    VALUE = "value"
    IMAGE = "image"


@dataclass(frozen=True, slots=True)
class Letter:
    """Something that came over the wire and cannot be used: its bytes, its place, and why."""

    gateway: str
    topic: str
    part: Part
    reason: str
    payload: bytes = field(repr=False)
    batch: UUID | None = None
    position: int | None = None


@dataclass(frozen=True, slots=True)
class Image:
    """A picture whose bytes are what its name says."""

    sha256: str
    content_type: str
    payload: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message of a gateway. At most one of `arrival`, `state`, `reply` and `image` is there.

    `refused` is the id of a batch or image that the gateway is to send no more. `payload` is kept until everything
    is committed, so that a message that no store takes can still become a dead letter.
    """

    gateway: str
    topic: str
    payload: bytes = field(repr=False)
    received_at: datetime
    arrival: Arrival | None = None
    state: State | None = None
    reply: Reply | None = None
    image: Image | None = None
    letters: tuple[Letter, ...] = ()
    refused: str | None = None

    @property
    def usable(self) -> bool:
        """Whether there is more to it than dead letters."""
        return any(part is not None for part in (self.arrival, self.state, self.reply, self.image))
