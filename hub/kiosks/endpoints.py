"""Kiosks over HTTP: setting them up; and what their pages ask, which is all that a kiosk's key may do."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from pydantic import StringConstraints
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts.keyring import Caller
from hub.accounts.scopes import Scope
from hub.api.access import caller_with
from hub.api.idempotency import Creation, creation_with
from hub.api.paging import Page, PagingHere
from hub.api.problems import problems
from hub.complaints.receiving import Receiving
from hub.complaints.schemas import ComplaintIn, ReceiptOut
from hub.kiosks import registering, repository
from hub.kiosks.model import Kiosk
from hub.kiosks.schemas import (
    BeatIn,
    BeatOut,
    KioskCreated,
    KioskHere,
    KioskIn,
    KioskOut,
    PublicSubject,
    PublicSubjects,
)
from hub.kiosks.watching import KioskWatch
from hub.parts import PartsHere
from hub.web.endpoints import VERSION
from protocol.errors import RefusedRequestError

router = APIRouter(tags=["kiosks"])

Creating = Annotated[Creation, creation_with(Scope.DEVICES_WRITE)]
AtKiosk = Annotated[Caller, caller_with(Scope.KIOSK)]
KioskId = Annotated[UUID, Path()]
_FOUND: Final = 20


@router.post("/kiosks", status_code=201, response_model=KioskCreated, responses=problems(409))
async def create_kiosk(body: KioskIn, creation: Creating) -> Response:
    """Set a kiosk up. The key of its page is in this answer and nowhere else."""

    async def act(session: AsyncSession) -> KioskCreated:
        return KioskCreated.with_key(*await registering.register(session, creation.parts.clock, body))

    return await creation.once(act, location=lambda _: "/api/v1/kiosks")


@router.get("/kiosks")
async def list_kiosks(
    parts: PartsHere, _: Annotated[Caller, caller_with(Scope.DEVICES_READ)], paging: PagingHere
) -> Page[KioskOut]:
    """Every kiosk, by gateway and device, and whether it is alive."""
    async with parts.database.read() as session:
        return await paging.page(session, select(Kiosk), (Kiosk.gateway, Kiosk.device), KioskOut.of)


@router.post("/kiosks/{kiosk_id}/key", status_code=201, response_model=KioskCreated, responses=problems(404, 409))
async def renew_kiosk_key(kiosk_id: KioskId, creation: Creating) -> Response:
    """Give a kiosk another key, when the old one is lost or was seen; the old one ends within five seconds."""

    async def act(session: AsyncSession) -> KioskCreated:
        return KioskCreated.with_key(*await registering.renew_key(session, creation.parts.clock, kiosk_id))

    answer = await creation.once(act)
    creation.parts.keys.forget()
    return answer


@router.post("/kiosks/{kiosk_id}/retire", responses=problems(404))
async def retire_kiosk(
    kiosk_id: KioskId, parts: PartsHere, _: Annotated[Caller, caller_with(Scope.DEVICES_WRITE)]
) -> KioskOut:
    """End a kiosk and its key."""
    async with parts.database.write() as session:
        row = await registering.retire(session, parts.clock, kiosk_id)
    parts.keys.forget()
    return KioskOut.of(row)


@router.get("/kiosk", responses=problems(404))
async def get_own_kiosk(parts: PartsHere, caller: AtKiosk) -> KioskHere:
    """The kiosk whose key calls."""
    async with parts.database.read() as session:
        row = await _own(session, caller)
    return KioskHere(name=row.name, place=row.place)


@router.post("/kiosk/heartbeat", responses=problems(404))
async def beat(body: BeatIn, parts: PartsHere, caller: AtKiosk) -> BeatOut:
    """Say that the page is alive. It says so every 30 s; after 90 s without a word the kiosk is lost."""
    async with parts.database.write() as session:
        await KioskWatch(parts).hear(session, await _own(session, caller, hold=True), body.page)
    return BeatOut(page=VERSION)


@router.get("/kiosk/subjects")
async def search_public_subjects(
    parts: PartsHere,
    _: AtKiosk,
    q: Annotated[
        str,
        StringConstraints(min_length=2, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$"),
        Query(description="Part of the name or address, or the whole licence number"),
    ],
) -> PublicSubjects:
    """Businesses by what everybody may know of them: the first twenty."""
    async with parts.database.read() as session:
        rows = await repository.public_subjects(session, q.strip() or q, _FOUND + 1)
    return PublicSubjects(items=[PublicSubject.of(row) for row in rows[:_FOUND]], more=len(rows) > _FOUND)


@router.post("/kiosk/complaints", status_code=201, response_model=ReceiptOut)
async def create_complaint(body: ComplaintIn, creation: Annotated[Creation, creation_with(Scope.KIOSK)]) -> Response:
    """Enter a complaint, a report or a suggestion; the answer is its receipt."""
    parts = creation.parts

    async def act(session: AsyncSession) -> ReceiptOut:
        kiosk = await repository.with_key(session, creation.caller.key_id)
        receiving = Receiving(parts.clock, parts.stream, parts.media)
        return await receiving.receive(session, body, kiosk.id if kiosk else None)

    return await creation.once(act)


async def _own(session: AsyncSession, caller: Caller, *, hold: bool = False) -> Kiosk:
    row = await repository.with_key(session, caller.key_id, hold=hold)
    if row is None:
        raise RefusedRequestError("kiosks.not_a_kiosk", "this key is no kiosk's", status=404)
    return row
