"""Recalls and scans over HTTP."""

import asyncio
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts.keyring import Caller
from hub.accounts.scopes import Scope
from hub.api.access import caller_with
from hub.api.idempotency import Creation, creation_with
from hub.api.paging import Page, PagingHere
from hub.api.preconditions import IfMatch, tag
from hub.api.problems import problems
from hub.api.times import Instant
from hub.api.values import Level, Line
from hub.parts import PartsHere
from hub.recalls import entering, importing, repository
from hub.recalls.model import Recall, Scan
from hub.recalls.schemas import Batch, Gtin, RecallIn, RecallOut, RecallsImported, ScanOut, WithdrawalIn

router = APIRouter(tags=["recalls"])

LARGEST_IMPORT: Final = 8 * 1024 * 1024

Reader = Annotated[Caller, caller_with(Scope.DOMAIN_READ)]
Creating = Annotated[Creation, creation_with(Scope.DOMAIN_WRITE)]
RecallId = Annotated[UUID, Path()]

_FILE: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            importing.CSV: {"schema": {"type": "string", "description": "UTF-8; the heading names fields of a recall"}}
        },
    }
}


@router.get("/recalls")
async def list_recalls(
    *,
    parts: PartsHere,
    _: Reader,
    paging: PagingHere,
    gtin: Annotated[Gtin | None, Query()] = None,
    q: Annotated[Line | None, Query(description="Part of the product's name or the document's number")] = None,
    withdrawn: Annotated[bool, Query(description="Also those that were withdrawn")] = False,
) -> Page[RecallOut]:
    """Recalls, those entered last first."""
    wanted = repository.listed(gtin=gtin, text=q, withdrawn=withdrawn)
    async with parts.database.read() as session:
        page = await paging.page(session, wanted, (Recall.created_at.desc(), Recall.id.desc()), RecallOut.of)
        counts = await repository.counted(session, [item.id for item in page.items])
    for item in page.items:
        item.scans_found = counts.get(item.id, 0)
    return page


@router.post("/recalls", status_code=201, response_model=RecallOut, responses=problems(409))
async def create_recall(body: RecallIn, creation: Creating) -> Response:
    """Enter a recall. Scans of what it covers raise an alert from now on, and those of before within seconds."""
    parts, by = creation.parts, creation.caller.name

    async def act(session: AsyncSession) -> RecallOut:
        return RecallOut.of(await entering.enter(session, parts.clock, body, by=by))

    return await creation.once(act, location=lambda made: f"/api/v1/recalls/{made.id}")


@router.post("/recalls/import", response_model=RecallsImported, responses=problems(409, 415), openapi_extra=_FILE)
async def import_recalls(request: Request, creation: Creating) -> Response:
    """Enter a list of recalls, in one transaction. What is there already is left as it is."""
    content, media_type = await request.body(), request.headers.get("content-type", "")
    file = await asyncio.to_thread(importing.parse, content, media_type)
    parts, by = creation.parts, creation.caller.name

    async def act(session: AsyncSession) -> RecallsImported:
        new = await entering.enter_all(session, parts.clock, file.recalls, by=by)
        return RecallsImported(
            created=len(new),
            known=len(file.recalls) - len(new),
            refused=len(file.refused),
            refused_lines=file.refused[: importing.REFUSED_TOLD],
        )

    return await creation.once(act, status=200)


@router.get("/recalls/{recall_id:uuid}", responses=problems(404))
async def get_recall(recall_id: RecallId, parts: PartsHere, _: Reader, response: Response) -> RecallOut:
    """One recall, with an ETag to withdraw it by."""
    async with parts.database.read() as session:
        row = await repository.find(session, recall_id)
        counts = await repository.counted(session, [row.id])
    tag(response, row.version)
    return RecallOut.of(row).model_copy(update={"scans_found": counts.get(row.id, 0)})


@router.post("/recalls/{recall_id:uuid}/withdraw", responses=problems(404, 412, 428))
async def withdraw_recall(
    *,
    recall_id: RecallId,
    body: WithdrawalIn,
    parts: PartsHere,
    _: Annotated[Caller, caller_with(Scope.DOMAIN_WRITE)],
    if_match: IfMatch,
    response: Response,
) -> RecallOut:
    """Withdraw a recall: what it covers never changes, a wrong one is withdrawn and another entered."""
    async with parts.database.write() as session:
        row = await repository.find(session, recall_id)
        if_match.require(row.version)
        await entering.withdraw(session, parts.clock, row, body.reason)
    tag(response, row.version)
    return RecallOut.of(row)


@router.get("/scans")
async def list_scans(
    *,
    parts: PartsHere,
    _: Reader,
    paging: PagingHere,
    gtin: Annotated[Gtin | None, Query()] = None,
    batch: Annotated[Batch | None, Query()] = None,
    subject: Annotated[UUID | None, Query()] = None,
    gateway: Annotated[Level | None, Query()] = None,
    device: Annotated[Level | None, Query()] = None,
    since: Annotated[Instant | None, Query(alias="from", description="Start, included")] = None,
    until: Annotated[Instant | None, Query(alias="to", description="End, excluded")] = None,
) -> Page[ScanOut]:
    """Products that were scanned, newest first by the scanner's time."""
    wanted = repository.scans_listed(
        gtin=gtin, batch=batch, subject=subject, gateway=gateway, device=device, since=since, until=until
    )
    async with parts.database.read() as session:
        return await paging.page(session, wanted, (Scan.at.desc(), Scan.id.desc()), ScanOut.of)
