"""Work orders for boxes: make, list, look at, confirm, refuse, cancel."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from sqlalchemy import select

from hub.accounts.keyring import Caller
from hub.accounts.scopes import Scope
from hub.api.access import caller_with
from hub.api.idempotency import Creation, creation_with
from hub.api.paging import Page, PagingHere
from hub.api.problems import problems
from hub.api.values import Level
from hub.enrolment import repository
from hub.enrolment.granting import cancel, decide
from hub.enrolment.model import Enrolment
from hub.enrolment.ordering import order
from hub.enrolment.schemas import Compared, EnrolmentCreated, EnrolmentIn, EnrolmentOut
from hub.parts import PartsHere
from protocol.errors import RefusedRequestError

router = APIRouter(tags=["enrolment"])

Installer = Annotated[Caller, caller_with(Scope.ENROLMENTS_MANAGE)]


@router.post("/enrolments", status_code=201, response_model=EnrolmentCreated, responses=problems(404, 409))
async def create_enrolment(
    body: EnrolmentIn, creation: Annotated[Creation, creation_with(Scope.ENROLMENTS_MANAGE)]
) -> Response:
    """Make a work order. Its code is in this answer and nowhere else: valid for 15 minutes, for one box."""
    return await creation.once(
        lambda session: order(session, creation.parts, creation.caller, body),
        location=lambda made: f"/api/v1/enrolments/{made.id}",
    )


@router.get("/enrolments")
async def list_enrolments(
    parts: PartsHere, _: Installer, paging: PagingHere, gateway: Annotated[Level | None, Query()] = None
) -> Page[EnrolmentOut]:
    """Every work order, newest first."""
    wanted = select(Enrolment)
    if gateway is not None:
        wanted = wanted.where(Enrolment.gateway == gateway)
    now = parts.clock.now()
    async with parts.database.read() as session:
        return await paging.page(session, wanted, (Enrolment.id.desc(),), lambda row: EnrolmentOut.of(row, now))


@router.get("/enrolments/{order_id}", responses=problems(404))
async def get_enrolment(order_id: UUID, parts: PartsHere, _: Installer) -> EnrolmentOut:
    """One work order. Once a box has used its code, `check` is what the box shows too."""
    async with parts.database.read() as session:
        return EnrolmentOut.of(await repository.find(session, order_id), parts.clock.now())


@router.post("/enrolments/{order_id}/confirm", responses=problems(404, 409))
async def confirm_enrolment(order_id: UUID, body: Compared, parts: PartsHere, caller: Installer) -> EnrolmentOut:
    """Release a certificate that is held back: the digits read off the box are those of the order."""
    async with parts.database.write() as session:
        row = await repository.find(session, order_id, locked=True)
        if row.check_digits is not None and row.check_digits != body.check:
            detail = "the box shows other digits than this order: it is not the box that used the code"
            raise RefusedRequestError("enrolments.other_digits", detail)
        await decide(session, parts, row, right=True, by=caller.key_id)
        return EnrolmentOut.of(row, parts.clock.now())


@router.post("/enrolments/{order_id}/refuse", responses=problems(404, 409))
async def refuse_enrolment(order_id: UUID, parts: PartsHere, caller: Installer) -> EnrolmentOut:
    """Refuse for good the box that waits: it is not the right one."""
    async with parts.database.write() as session:
        row = await repository.find(session, order_id, locked=True)
        await decide(session, parts, row, right=False, by=caller.key_id)
        return EnrolmentOut.of(row, parts.clock.now())


@router.delete("/enrolments/{order_id}", status_code=204, responses=problems(404, 409))
async def cancel_enrolment(order_id: UUID, parts: PartsHere, caller: Installer) -> None:
    """End a work order before a box has its certificate."""
    async with parts.database.write() as session:
        await cancel(session, parts, await repository.find(session, order_id, locked=True), by=caller.key_id)
