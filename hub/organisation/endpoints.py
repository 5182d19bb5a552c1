"""Units, officers and the roster over HTTP."""

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
from hub.api.times import Instant
from hub.grids.schemas import GridId, UnitId
from hub.organisation import officers, repository, rostering, units
from hub.organisation.model import Duty, Officer, OrgUnit
from hub.organisation.schemas import (
    DutyIn,
    DutyOut,
    HandOverIn,
    HandOverOut,
    Kind,
    OfficerEdit,
    OfficerIn,
    OfficerOut,
    OrgUnitIn,
    OrgUnitOut,
)
from hub.parts import PartsHere
from protocol.errors import RefusedRequestError

router = APIRouter(tags=["organisation"])

Reader = Annotated[Caller, caller_with(Scope.DOMAIN_READ)]
Writer = Annotated[Caller, caller_with(Scope.DOMAIN_WRITE)]
Creating = Annotated[Creation, creation_with(Scope.DOMAIN_WRITE)]


@router.get("/org-units")
async def list_org_units(parts: PartsHere, _: Reader, paging: PagingHere) -> Page[OrgUnitOut]:
    """Every unit, each after the one it belongs to."""
    async with parts.database.read() as session:
        return await paging.page(session, repository.units(), (OrgUnit.id,), OrgUnitOut.of)


@router.post("/org-units", status_code=201, response_model=OrgUnitOut, responses=problems(404, 409))
async def create_org_unit(body: OrgUnitIn, creation: Creating) -> Response:
    """Make a unit below one that exists, or a bureau."""

    async def act(session: AsyncSession) -> OrgUnitOut:
        return OrgUnitOut.of(await units.add_unit(session, body.id, body.name))

    return await creation.once(act)


@router.get("/officers")
async def list_officers(
    parts: PartsHere,
    _: Reader,
    paging: PagingHere,
    unit: Annotated[UnitId | None, Query(description="With all that lies below")] = None,
    kind: Annotated[Kind | None, Query()] = None,
    active: Annotated[bool | None, Query()] = None,
) -> Page[OfficerOut]:
    """Officers, in the order in which they were made."""
    async with parts.database.read() as session:
        wanted = repository.officers(unit=unit, kind=kind, active=active)
        return await paging.page(session, wanted, (Officer.id,), OfficerOut.of)


@router.post("/officers", status_code=201, response_model=OfficerOut, responses=problems(404, 409))
async def create_officer(body: OfficerIn, creation: Creating) -> Response:
    """Make an officer."""
    officers.require_staff(body.kind, certified=body.certified)

    async def act(session: AsyncSession) -> OfficerOut:
        if body.unit is not None:
            await repository.unit(session, body.unit)
        officer = Officer(
            id=creation.parts.clock.new_id(),
            name=body.name,
            kind=body.kind,
            certified=body.certified,
            unit_id=body.unit,
            phone=body.phone,
            active=True,
            version=1,
        )
        await repository.add(session, officer)
        return OfficerOut.of(officer)

    return await creation.once(act, location=lambda made: f"/api/v1/officers/{made.id}")


@router.get("/officers/{officer_id}", responses=problems(404))
async def get_officer(
    officer_id: Annotated[UUID, Path()], parts: PartsHere, _: Reader, response: Response
) -> OfficerOut:
    """One officer, with an ETag to edit it by."""
    async with parts.database.read() as session:
        officer = await repository.officer(session, officer_id)
    tag(response, officer.version)
    return OfficerOut.of(officer)


@router.patch("/officers/{officer_id}", responses=problems(404, 409, 412, 428))
async def edit_officer(
    officer_id: Annotated[UUID, Path()],
    body: OfficerEdit,
    parts: PartsHere,
    _: Writer,
    if_match: IfMatch,
    response: Response,
) -> OfficerOut:
    """Change an officer."""
    values = body.model_dump(exclude_none=True)
    if "unit" in values:
        values["unit_id"] = values.pop("unit")
    async with parts.database.write() as session:
        officer = await repository.officer(session, officer_id)
        if_match.require(officer.version)
        if body.unit is not None:
            await repository.unit(session, body.unit)
        if not await officers.edit(session, parts.clock, officer, values):
            raise RefusedRequestError("preconditions.changed", "the officer was changed meanwhile", status=412)
    tag(response, officer.version)
    return OfficerOut.of(officer)


@router.get("/roster")
async def list_duties(
    parts: PartsHere,
    _: Reader,
    paging: PagingHere,
    grid: Annotated[GridId | None, Query()] = None,
    officer: Annotated[UUID | None, Query()] = None,
    at: Annotated[Instant | None, Query(description="Only who is on duty then")] = None,
) -> Page[DutyOut]:
    """Lines of the roster, earliest first."""
    async with parts.database.read() as session:
        wanted = repository.duties(grid=grid, officer=officer, at=at)
        return await paging.page(session, wanted, (Duty.since, Duty.id), DutyOut.of)


@router.post("/roster", status_code=201, response_model=DutyOut, responses=problems(404, 409))
async def create_duty(body: DutyIn, creation: Creating) -> Response:
    """Put an officer on duty for a grid. A grid has one holder at a time, and any number of deputies."""

    async def act(session: AsyncSession) -> DutyOut:
        officer = await repository.officer(session, body.officer)
        clock = creation.parts.clock
        return DutyOut.of(
            await rostering.put_on_duty(
                session, clock, officer, body.grid, role=body.role, since=body.since, until=body.until
            )
        )

    return await creation.once(act)


@router.delete("/roster/{duty_id}", status_code=204, responses=problems(404, 409))
async def end_duty(
    duty_id: Annotated[UUID, Path()],
    parts: PartsHere,
    _: Writer,
    at: Annotated[Instant | None, Query(description="When it ends; now when left out or past")] = None,
) -> None:
    """End a duty, unless the grid would then have nobody (rule roster.last_holder)."""
    async with parts.database.write() as session:
        duty = await repository.duty(session, duty_id)
        await rostering.take_off_duty(session, parts.clock, duty, at)


@router.post(
    "/roster/{duty_id}/hand-over", status_code=201, response_model=HandOverOut, responses=problems(403, 404, 409)
)
async def hand_over_duty(duty_id: Annotated[UUID, Path()], body: HandOverIn, creation: Creating) -> Response:
    """Give a duty to another officer from now on, with the open tasks of that grid."""
    by, parts = creation.caller.name, creation.parts

    async def act(session: AsyncSession) -> HandOverOut:
        duty = await repository.duty(session, duty_id)
        successor = await repository.officer(session, body.to)
        done = await rostering.hand_over(session, parts.clock, parts.stream, duty, successor, by=by)
        return HandOverOut(duty=DutyOut.of(done.duty), by=by, tasks=[task.id for task in done.tasks])

    return await creation.once(act)
