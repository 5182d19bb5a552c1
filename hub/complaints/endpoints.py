"""The desk that sorts complaints, over HTTP. They are entered at kiosks."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from hub.accounts.keyring import Caller
from hub.accounts.scopes import Scope
from hub.api.access import caller_with
from hub.api.paging import Page, PagingHere
from hub.api.preconditions import IfMatch, tag
from hub.api.problems import problems
from hub.complaints import repository
from hub.complaints.model import Complaint, ReporterViewing
from hub.complaints.receipts import PATTERN
from hub.complaints.schemas import ComplaintOut, Kind, ReporterOut, SortingIn, State, ViewingIn, ViewingOut
from hub.parts import PartsHere
from hub.subjects.model import Subject
from protocol.errors import RefusedRequestError

router = APIRouter(tags=["complaints"])

Reader = Annotated[Caller, caller_with(Scope.COMPLAINTS_READ)]
Actor = Annotated[Caller, caller_with(Scope.COMPLAINTS_ACT)]
ComplaintId = Annotated[UUID, Path()]


@router.get("/complaints")
async def list_complaints(
    *,
    parts: PartsHere,
    _: Reader,
    paging: PagingHere,
    state: Annotated[State | None, Query()] = None,
    kind: Annotated[Kind | None, Query()] = None,
    subject: Annotated[UUID | None, Query()] = None,
    receipt: Annotated[str | None, Query(pattern=PATTERN)] = None,
) -> Page[ComplaintOut]:
    """Complaints, newest first; `state=received` is what waits to be sorted."""
    wanted = repository.listed(state=state, kind=kind, subject=subject, receipt=receipt)
    async with parts.database.read() as session:
        order = (Complaint.received_at.desc(), Complaint.id.desc())
        return await paging.page(session, wanted, order, ComplaintOut.of)


@router.get("/complaints/{complaint_id}", responses=problems(404))
async def get_complaint(complaint_id: ComplaintId, parts: PartsHere, _: Reader, response: Response) -> ComplaintOut:
    """One complaint; its ETag is needed to sort it."""
    async with parts.database.read() as session:
        row = await repository.find(session, complaint_id)
    tag(response, row.version)
    return ComplaintOut.of(row)


@router.post("/complaints/{complaint_id}/sort", responses=problems(404, 409, 412, 428))
async def sort_complaint(
    *,
    complaint_id: ComplaintId,
    body: SortingIn,
    parts: PartsHere,
    caller: Actor,
    if_match: IfMatch,
    response: Response,
) -> ComplaintOut:
    """Accept a complaint, refuse it, or say that it is one that is known. What was sorted stays sorted."""
    async with parts.database.write() as session:
        row = await repository.find(session, complaint_id)
        if_match.require(row.version)
        if row.state != "received":
            raise RefusedRequestError("complaints.sorted", f"it was {row.state} already")
        if body.subject is not None and await session.get(Subject, body.subject) is None:
            raise RefusedRequestError("complaints.unknown_subject", f"no subject {body.subject}", status=422)
        row.state, row.note, row.sorted_by = body.outcome, body.note, caller.name
        row.subject_id = body.subject or row.subject_id
        row.state_at = parts.clock.now()
        row.version += 1
        facts = {"id": str(row.id), "receipt": row.receipt, "state": row.state}
        await parts.stream.append(session, "complaint", facts)
    tag(response, row.version)
    return ComplaintOut.of(row)


@router.post("/complaints/{complaint_id}/reporter", responses=problems(404))
async def see_reporter(complaint_id: ComplaintId, body: ViewingIn, parts: PartsHere, caller: Actor) -> ReporterOut:
    """See who complained. The reason is kept for ever, beside those of everybody who looked before."""
    async with parts.database.write() as session:
        row = await repository.find(session, complaint_id)
        now = parts.clock.now()
        session.add(
            ReporterViewing(id=parts.clock.new_id(), complaint_id=row.id, at=now, by=caller.name, reason=body.reason)
        )
        await session.flush()
        seen = [ViewingOut.of(each) for each in await repository.viewings(session, row.id)]
    return ReporterOut(person=row.person, phone=row.phone, viewings=seen)
