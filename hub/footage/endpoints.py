"""Footage over HTTP: what there is, what is missing, whose it is, and how long it stays."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts.keyring import Caller
from hub.accounts.scopes import Scope
from hub.api.access import caller_with
from hub.api.idempotency import Creation, creation_with
from hub.api.paging import Page, PagingHere
from hub.api.preconditions import IfMatch, tag
from hub.api.problems import problems
from hub.api.times import Instant, Window, window
from hub.api.values import Level
from hub.custody import proving
from hub.custody.documents import written
from hub.footage import acting, repository
from hub.footage.coverage import Span, covered
from hub.footage.model import Footage, FootageHold
from hub.footage.retention import CATEGORIES
from hub.footage.schemas import (
    CategoryOut,
    CoverageList,
    CoverageOut,
    FootageEdit,
    FootageOut,
    HoldIn,
    HoldOut,
    State,
)
from hub.organisation import repository as organisation
from hub.parts import Parts, PartsHere
from protocol.errors import RefusedRequestError

router = APIRouter(tags=["footage"])

Reader = Annotated[Caller, caller_with(Scope.FOOTAGE_READ)]
Writer = Annotated[Caller, caller_with(Scope.FOOTAGE_WRITE)]
FootageId = Annotated[UUID, Path()]


@router.get("/footage-categories")
async def list_footage_categories(parts: PartsHere, _: Reader) -> Page[CategoryOut]:
    """How long each category of footage is kept, with the article that says so."""
    days = parts.config.footage.keep_days
    return Page(items=[CategoryOut.of(each, days) for each in CATEGORIES.values()], next=None)


@router.get("/footage-coverage", responses=problems(404))
async def get_footage_coverage(
    parts: PartsHere, _: Reader, officer: Annotated[UUID, Query()], asked: Annotated[Window, Depends(window)]
) -> CoverageList:
    """How much of each duty of an officer was recorded, and where the gaps are."""
    async with parts.database.read() as session:
        await organisation.officer(session, officer)
        duties = await repository.overlapping_duties(session, officer, asked.since, asked.until)
        clips = await repository.overlapping(session, officer, asked.since, asked.until)
    spans = [Span(clip.began_at, clip.ended_at) for clip in clips if clip.began_at and clip.ended_at]
    items = []
    for duty in duties:
        within = Span(max(duty.since, asked.since), min(duty.until, asked.until))
        items.append(CoverageOut.of(duty, within, covered(within, spans)))
    return CoverageList(items=items)


@router.get("/footage")
async def list_footage(
    *,
    parts: PartsHere,
    _: Reader,
    paging: PagingHere,
    state: Annotated[State | None, Query(description="expected: told of by a recorder, not received yet")] = None,
    gateway: Annotated[Level | None, Query()] = None,
    device: Annotated[Level | None, Query()] = None,
    officer: Annotated[UUID | None, Query()] = None,
    subject: Annotated[UUID | None, Query()] = None,
    task: Annotated[UUID | None, Query()] = None,
    playable: Annotated[bool | None, Query()] = None,
    since: Annotated[Instant | None, Query(alias="from", description="Start, included")] = None,
    until: Annotated[Instant | None, Query(alias="to", description="End, excluded")] = None,
) -> Page[FootageOut]:
    """Clips, newest first."""
    wanted = repository.listed(
        state=state,
        gateway=gateway,
        device=device,
        officer=officer,
        subject=subject,
        task=task,
        playable=playable,
        since=since,
        until=until,
    )
    days = parts.config.footage.keep_days
    async with parts.database.read() as session:
        order = (Footage.at.desc(), Footage.id.desc())
        page = await paging.page(session, wanted, order, lambda row: FootageOut.of(row, days, held=False))
        held = await repository.held_among(session, [item.id for item in page.items])
    for item in page.items:
        item.held = item.id in held
    return page


@router.get("/footage/{footage_id}", responses=problems(404))
async def get_footage(footage_id: FootageId, parts: PartsHere, _: Reader, response: Response) -> FootageOut:
    """One clip, with an ETag to edit it by."""
    async with parts.database.read() as session:
        row = await repository.find(session, footage_id)
        return await _told(session, parts, row, response)


@router.patch("/footage/{footage_id}", responses=problems(404, 412, 428))
async def edit_footage(
    *, footage_id: FootageId, body: FootageEdit, parts: PartsHere, caller: Writer, if_match: IfMatch, response: Response
) -> FootageOut:
    """Link a clip to its officer, subject or task, or give it another category."""
    async with parts.database.write() as session:
        row = await repository.find(session, footage_id, hold=True)
        if_match.require(row.version)
        await acting.edit(session, parts.clock, row, body, caller)
        return await _told(session, parts, row, response)


@router.get("/footage/{footage_id}/custody", responses=problems(404))
async def get_footage_custody(footage_id: FootageId, parts: PartsHere, _: Reader) -> Response:
    """Everything that was done with a clip, with proofs: the document that `diwang verify --proof` reads."""
    return await _proofs(parts, footage_id, deleted=False)


@router.get("/footage/{footage_id}/deletion-certificate", responses=problems(404))
async def get_deletion_certificate(footage_id: FootageId, parts: PartsHere, _: Reader) -> Response:
    """The proof that a clip was received, kept as long as its category asks, and then deleted."""
    return await _proofs(parts, footage_id, deleted=True)


@router.post("/footage/{footage_id}/holds", status_code=201, response_model=HoldOut, responses=problems(404, 409))
async def hold_footage(
    footage_id: FootageId, body: HoldIn, creation: Annotated[Creation, creation_with(Scope.FOOTAGE_WRITE)]
) -> Response:
    """Keep a clip from being deleted until the hold is lifted."""

    async def act(session: AsyncSession) -> HoldOut:
        row = await repository.find(session, footage_id, hold=True)
        return HoldOut.of(await acting.hold(session, creation.parts.clock, row, body, creation.caller))

    return await creation.once(act)


@router.get("/footage/{footage_id}/holds", responses=problems(404))
async def list_footage_holds(footage_id: FootageId, parts: PartsHere, _: Reader, paging: PagingHere) -> Page[HoldOut]:
    """Holds of a clip, lifted ones too, newest first."""
    async with parts.database.read() as session:
        await repository.find(session, footage_id)
        order = (FootageHold.set_at.desc(), FootageHold.id.desc())
        return await paging.page(session, repository.holds_of(footage_id), order, HoldOut.of)


@router.post("/footage/{footage_id}/holds/{hold_id}/lift", responses=problems(404, 409))
async def lift_footage_hold(
    footage_id: FootageId, hold_id: Annotated[UUID, Path()], body: HoldIn, parts: PartsHere, caller: Writer
) -> HoldOut:
    """End a hold, with the reason and the person."""
    async with parts.database.write() as session:
        row = await repository.find(session, footage_id, hold=True)
        held = await repository.hold(session, hold_id, footage_id)
        await acting.lift(session, parts.clock, row, held, body, caller=caller)
        return HoldOut.of(held)


async def _told(session: AsyncSession, parts: Parts, row: Footage, response: Response) -> FootageOut:
    tag(response, row.version)
    held = await repository.is_held(session, row.id)
    return FootageOut.of(row, parts.config.footage.keep_days, held=held)


async def _proofs(parts: Parts, footage_id: UUID, *, deleted: bool) -> Response:
    async with parts.database.write() as session:  # a checkpoint may have to be signed
        row = await repository.find(session, footage_id)
        if deleted and row.state != "deleted":
            raise RefusedRequestError("footage.not_deleted", "it was not deleted", status=404)
        document = await proving.document(session, parts.clock, parts.custody, row.sha256)
    if document is None:
        raise RefusedRequestError("footage.no_history", "nothing was done with it yet", status=404)
    return Response(written(document), media_type="application/json")
