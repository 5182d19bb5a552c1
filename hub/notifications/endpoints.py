"""Channels and the ledger of notifications over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts.keyring import Caller
from hub.accounts.scopes import Scope
from hub.api.access import caller_with
from hub.api.idempotency import Creation, creation_with
from hub.api.paging import Page, PagingHere
from hub.api.preconditions import IfMatch, tag
from hub.api.problems import problems
from hub.notifications import channels, repository
from hub.notifications.addresses import AddressPolicy
from hub.notifications.model import Channel, Notification
from hub.notifications.schemas import (
    ChannelCreated,
    ChannelEdit,
    ChannelIn,
    ChannelOut,
    NotificationOut,
    State,
)
from hub.parts import Parts, PartsHere
from protocol.errors import RefusedRequestError

router = APIRouter(tags=["notifications"])

Reader = Annotated[Caller, caller_with(Scope.NOTIFICATIONS_READ)]
Creating = Annotated[Creation, creation_with(Scope.NOTIFICATIONS_WRITE)]
ChannelId = Annotated[UUID, Path()]


@router.get("/channels")
async def list_channels(parts: PartsHere, _: Reader, paging: PagingHere) -> Page[ChannelOut]:
    """Every channel, in the order in which they were made."""
    async with parts.database.read() as session:
        order = (Channel.created_at, Channel.id)
        return await paging.page(session, repository.channels(), order, ChannelOut.of)


@router.post("/channels", status_code=201, response_model=ChannelCreated, responses=problems(409))
async def create_channel(body: ChannelIn, creation: Creating) -> Response:
    """Make a channel. The secret of a webhook is in this answer and nowhere else.

    Private and link-local addresses are refused, and plain http, unless the configuration allows the host.
    """
    parts = creation.parts
    if body.url is not None:
        _policy(parts).require_url(body.url)

    async def act(session: AsyncSession) -> ChannelCreated:
        options = {} if body.url is None else {"url": body.url}
        severity = body.minimum_severity.value
        new = await channels.add_channel(
            session, parts.clock, name=body.name, kind=body.kind, options=options, minimum_severity=severity
        )
        return ChannelCreated.made(new)

    return await creation.once(act, location=lambda made: f"/api/v1/channels/{made.id}")


@router.get("/channels/{channel_id}", responses=problems(404))
async def get_channel(channel_id: ChannelId, parts: PartsHere, _: Reader, response: Response) -> ChannelOut:
    """One channel, with an ETag to edit it by."""
    async with parts.database.read() as session:
        channel = await repository.channel(session, channel_id)
    tag(response, channel.version)
    return ChannelOut.of(channel)


@router.patch("/channels/{channel_id}", responses=problems(404, 409, 412, 428))
async def edit_channel(
    *,
    channel_id: ChannelId,
    body: ChannelEdit,
    parts: PartsHere,
    _: Annotated[Caller, caller_with(Scope.NOTIFICATIONS_WRITE)],
    if_match: IfMatch,
    response: Response,
) -> ChannelOut:
    """Switch a channel on or off, or change where it goes and from which severity on."""
    values = body.model_dump(exclude_none=True, mode="json")
    if (url := values.pop("url", None)) is not None:
        _policy(parts).require_url(url)
        values["options"] = {"url": url}
    async with parts.database.write() as session:
        channel = await repository.channel(session, channel_id)
        if_match.require(channel.version)
        if url is not None and channel.kind != channels.WEBHOOK:
            raise RefusedRequestError("channels.no_url", f"a {channel.kind} has no url")
        if not await repository.change_channel(session, channel, values):
            raise RefusedRequestError("preconditions.changed", "the channel was changed meanwhile", status=412)
    tag(response, channel.version)
    return ChannelOut.of(channel)


@router.get("/notifications")
async def list_notifications(
    *,
    parts: PartsHere,
    _: Reader,
    paging: PagingHere,
    alert: Annotated[UUID | None, Query()] = None,
    channel: Annotated[UUID | None, Query()] = None,
    state: Annotated[State | None, Query()] = None,
) -> Page[NotificationOut]:
    """The ledger: what was told to whom, and whether they took it. Newest first."""
    async with parts.database.read() as session:
        wanted = repository.listed(alert=alert, channel=channel, state=state)
        order = (Notification.queued_at.desc(), Notification.id.desc())
        return await paging.page(session, wanted, order, NotificationOut.of)


def _policy(parts: Parts) -> AddressPolicy:
    return AddressPolicy.of(parts.config.notifications.allow)
