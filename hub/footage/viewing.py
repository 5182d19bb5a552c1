"""Seeing footage and handing it out: only for a stated reason, by the key that stated it, and only for a while."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import FileResponse, StreamingResponse

from hub.accounts.keyring import Caller
from hub.accounts.scopes import Scope
from hub.api.access import caller_with
from hub.api.idempotency import Creation, creation_with
from hub.api.paging import Page, PagingHere
from hub.api.problems import problems
from hub.custody import proving
from hub.custody.documents import written
from hub.footage import acting, bundle, repository
from hub.footage.model import FootageViewing
from hub.footage.schemas import ExportIn, ExportOut, FootageOut, ViewingIn, ViewingOut
from hub.parts import PartsHere
from protocol.errors import RefusedRequestError, StoreUnavailableError

router = APIRouter(tags=["footage"])

Reader = Annotated[Caller, caller_with(Scope.FOOTAGE_READ)]
Viewer = Annotated[Caller, caller_with(Scope.FOOTAGE_VIEW)]
FootageId = Annotated[UUID, Path()]

NO_REASON: Final = "footage.reason_required"


@router.post("/footage/{footage_id}/viewings", status_code=201, response_model=ViewingOut, responses=problems(404, 409))
async def open_footage_viewing(
    footage_id: FootageId, body: ViewingIn, creation: Annotated[Creation, creation_with(Scope.FOOTAGE_VIEW)]
) -> Response:
    """State why a clip is looked at. It is open to this key for a while, and the reason is in the custody log."""
    parts = creation.parts

    async def act(session: AsyncSession) -> ViewingOut:
        row = await repository.find(session, footage_id, hold=True)
        minutes = parts.config.footage.viewing_minutes
        return ViewingOut.of(
            await acting.open_viewing(session, parts.clock, row, body, caller=creation.caller, minutes=minutes)
        )

    return await creation.once(act, location=lambda made: made.url)


@router.get("/footage/{footage_id}/viewings", responses=problems(404))
async def list_footage_viewings(
    footage_id: FootageId, parts: PartsHere, _: Reader, paging: PagingHere
) -> Page[ViewingOut]:
    """Who looked at a clip and why, newest first: the register that 视频条例 Art. 16(3) asks for."""
    async with parts.database.read() as session:
        await repository.find(session, footage_id)
        order = (FootageViewing.at.desc(), FootageViewing.id.desc())
        return await paging.page(session, repository.viewings_of(footage_id), order, ViewingOut.of)


@router.get(
    "/footage/{footage_id}/content",
    response_class=Response,
    responses={
        200: {"content": {"video/*": {}, "audio/*": {}, "application/octet-stream": {}}, "description": "The clip"},
        206: {"content": {"video/*": {}, "multipart/byteranges": {}}, "description": "The ranges asked for"},
        400: {"content": {"text/plain": {}}, "description": "A Range header that is none"},
        416: {"content": {"text/plain": {}}, "description": "A range beyond the end"},
        **problems(404, 409),
    },
)
async def get_footage_content(
    footage_id: FootageId,
    parts: PartsHere,
    caller: Viewer,
    viewing: Annotated[UUID | None, Query(description="Of POST /footage/{id}/viewings, by the same key")] = None,
) -> Response:
    """A clip's bytes, whole or by ranges (RFC 9110 section 14), for a reason that was stated before."""
    async with parts.database.read() as session:
        row = await repository.find(session, footage_id)
        found = await repository.viewing(session, viewing, footage_id) if viewing is not None else None
    if found is None or found.key_id != caller.key_id or found.until <= parts.clock.now():
        detail = "state the reason first: POST /footage/{id}/viewings, and use its url while it is open"
        raise RefusedRequestError(NO_REASON, detail, status=403)
    acting.require_kept(row)
    path = parts.footage.path(row.sha256)
    if parts.footage.size(row.sha256) != row.size:
        raise StoreUnavailableError(f"footage: {row.sha256} is not as it was kept")
    headers = {"ETag": f'"{row.sha256}"', "X-Content-Type-Options": "nosniff", "Content-Disposition": "inline"}
    return FileResponse(path, headers=headers, media_type=row.content_type)


@router.post("/footage/{footage_id}/exports", status_code=201, response_model=ExportOut, responses=problems(404, 409))
async def export_footage(
    footage_id: FootageId, body: ExportIn, creation: Annotated[Creation, creation_with(Scope.FOOTAGE_VIEW)]
) -> Response:
    """Hand out a clip: a bundle with its description and the proofs of its history, for a stated reason."""
    parts = creation.parts

    async def act(session: AsyncSession) -> ExportOut:
        row = await repository.find(session, footage_id, hold=True)
        held = await repository.is_held(session, row.id)
        described = FootageOut.of(row, parts.config.footage.keep_days, held=held).model_dump_json(indent=1)
        made = await acting.export(session, parts.clock, row, body, caller=creation.caller, description=described)
        return ExportOut.of(made)

    return await creation.once(act, location=lambda made: made.url)


@router.get(
    "/footage/{footage_id}/exports/{export_id}",
    response_class=Response,
    responses={200: {"content": {"application/zip": {}}, "description": "The bundle"}, **problems(404, 409)},
)
async def get_footage_bundle(
    footage_id: FootageId, export_id: Annotated[UUID, Path()], parts: PartsHere, _: Viewer
) -> Response:
    """The bundle of an export; `diwang verify` checks it offline."""
    async with parts.database.write() as session:  # a checkpoint may have to be signed
        row = await repository.find(session, footage_id)
        export = await repository.export(session, export_id, footage_id)
        acting.require_kept(row)
        document = await proving.document(session, parts.clock, parts.custody, row.sha256)
    if document is None or parts.footage.size(row.sha256) != row.size:
        raise StoreUnavailableError(f"footage: {row.sha256} is not as it was kept")
    headers = {"Content-Disposition": f'attachment; filename="{row.sha256[:16]}.zip"'}
    pieces = bundle.bundled(parts.footage.path(row.sha256), row.sha256, export.description, written(document))
    return StreamingResponse(pieces, headers=headers, media_type="application/zip")
