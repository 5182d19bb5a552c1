"""Making channels."""

from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from hub.notifications import repository
from hub.notifications.model import Channel
from hub.notifications.signing import new_secret
from protocol.clock import Clock
from protocol.errors import RefusedRequestError
from protocol.messages import Severity

CONSOLE: Final = "console"
WEBHOOK: Final = "webhook"


@dataclass(frozen=True, slots=True)
class NewChannel:
    """A channel that was just made, with its secret, which is shown this once; empty for a console."""

    channel: Channel
    secret: str = field(repr=False)


async def add_channel(
    session: AsyncSession, clock: Clock, *, name: str, kind: str, options: dict[str, Any], minimum_severity: str
) -> NewChannel:
    """Add a channel. The caller commits. Raises RefusedRequestError: channels.taken."""
    secret = new_secret() if kind == WEBHOOK else ""
    channel_id = clock.new_id()
    row = _row(channel_id, clock, name, kind) | {
        "options": options,
        "secret": secret,
        "minimum_severity": minimum_severity,
    }
    if not await repository.add_channel(session, row):
        raise RefusedRequestError("channels.taken", f"there is a channel {name!r} already")
    return NewChannel(await repository.channel(session, channel_id), secret)


async def ensure_console(session: AsyncSession, clock: Clock) -> None:
    """Make the channel `console` unless there is one, so that a fresh hub tells somebody. The caller commits."""
    await repository.add_channel(session, _row(clock.new_id(), clock, CONSOLE, CONSOLE))


def _row(channel_id: UUID, clock: Clock, name: str, kind: str) -> dict[str, Any]:
    return {
        "id": channel_id,
        "name": name,
        "kind": kind,
        "options": {},
        "secret": "",
        "minimum_severity": Severity.MINOR.value,
        "enabled": True,
        "created_at": clock.now(),
        "version": 1,
    }
