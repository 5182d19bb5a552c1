"""GET /stream: Server-Sent Events, resumed by `Last-Event-ID`."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated, Final

from fastapi import APIRouter, Header, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import StringConstraints

from hub.accounts.keyring import Caller
from hub.accounts.scopes import Scope
from hub.api.access import caller_with
from hub.parts import PartsHere

router = APIRouter(tags=["stream"])

Kind = Annotated[str, StringConstraints(pattern="^[a-z]{1,32}$")]

RECHECKED_EVERY_S: Final = 3.0
"""A client whose key is revoked is cut off within this time and one beat of the stream."""


@router.get("/stream", response_class=EventSourceResponse)
async def stream(
    parts: PartsHere,
    caller: Annotated[Caller, caller_with(Scope.STREAM_READ)],
    last_event_id: Annotated[
        int | None,
        Header(alias="Last-Event-ID", ge=0, le=2**63 - 1, description="Send what followed this update first"),
    ] = None,
    after: Annotated[
        int | None, Query(ge=0, le=2**63 - 1, description="The same as Last-Event-ID, for a browser's first request")
    ] = None,
    kinds: Annotated[list[Kind] | None, Query(max_length=16, description="Only these kinds; all when left out")] = None,
) -> AsyncIterator[ServerSentEvent]:
    """Live updates: `event` is the kind, `data` JSON.

    Stored updates have an `id` and an object as data; `position` has none, and a list of the newest states. `hello`
    follows what was missed. `resync` says that updates were lost on the way: read the state anew.
    """
    checked = -RECHECKED_EVERY_S  # at once: who was let in may have been so from memory
    wanted = frozenset(kinds) if kinds else None
    last_id = after if last_event_id is None else last_event_id
    async with aclosing(parts.stream.follow(wanted, last_id)) as following:
        async for updates in following:
            for update in updates:
                event_id = None if update.id is None else str(update.id)
                yield ServerSentEvent(event=update.kind, raw_data=update.data, id=event_id)
            if parts.clock.monotonic() - checked >= RECHECKED_EVERY_S:
                if not await parts.keys.alive(caller):
                    return
                checked = -RECHECKED_EVERY_S  # at once: who was let in may have been so from memory
