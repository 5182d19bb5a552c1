"""Events as devices reported them."""

from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy import select

from hub.accounts.keyring import Caller
from hub.accounts.scopes import Scope
from hub.api.access import caller_with
from hub.api.paging import Page, PagingHere
from hub.api.times import Instant
from hub.api.values import Level, Line
from hub.devices import repository as devices
from hub.devices.repository import DeviceKey
from hub.events.model import EventMessage
from hub.events.schemas import EventOut
from hub.parts import PartsHere

router = APIRouter(tags=["events"])


@router.get("/events")
async def list_events(
    *,
    parts: PartsHere,
    _: Annotated[Caller, caller_with(Scope.EVENTS_READ)],
    paging: PagingHere,
    gateway: Annotated[Level | None, Query()] = None,
    device: Annotated[Level | None, Query()] = None,
    event_type: Annotated[Line | None, Query(alias="type")] = None,
    since: Annotated[Instant | None, Query(alias="from", description="Start, included")] = None,
    until: Annotated[Instant | None, Query(alias="to", description="End, excluded")] = None,
) -> Page[EventOut]:
    """Event messages, newest first by the device's time."""
    wanted = select(EventMessage)
    for condition in (
        None if gateway is None else EventMessage.gateway == gateway,
        None if device is None else EventMessage.device == device,
        None if event_type is None else EventMessage.type == event_type,
        None if since is None else EventMessage.at >= since,
        None if until is None else EventMessage.at < until,
    ):
        if condition is not None:
            wanted = wanted.where(condition)
    async with parts.database.read() as session:
        order = (EventMessage.at.desc(), EventMessage.number.desc())
        page = await paging.page(session, wanted, order, EventOut.of)
        known = await devices.among(session, list({DeviceKey(each.gateway, each.device) for each in page.items}))
    for item in page.items:
        row = known.get(DeviceKey(item.gateway, item.device))
        item.subject = row.subject_id if row else None
    return page
