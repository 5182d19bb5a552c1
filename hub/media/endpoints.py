"""Pictures by their SHA-256. What a name stands for never changes, so it may be cached for ever."""

import hashlib
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request, Response

from hub.accounts.keyring import Caller
from hub.accounts.scopes import Scope
from hub.api.access import caller_with
from hub.api.problems import problems
from hub.ingest.reading import sniffed
from hub.media import repository
from hub.media.repository import FROM_PEOPLE
from hub.media.schemas import MediaOut
from hub.parts import PartsHere
from protocol import logs
from protocol.errors import RefusedRequestError
from protocol.messages import MAX_MESSAGE_BYTES

router = APIRouter(tags=["media"])

log = logs.get(__name__)

_PICTURE: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in ("image/jpeg", "image/webp")},
    }
}
_FOR_EVER: Final = "private, max-age=31536000, immutable"


@router.post("/media", status_code=201, responses=problems(413), openapi_extra=_PICTURE)
async def add_picture(
    request: Request, parts: PartsHere, caller: Annotated[Caller, caller_with(Scope.MEDIA_WRITE)]
) -> MediaOut:
    """Keep a picture that a person took: JPEG or WebP, at most 512 KiB. The same bytes again are the same picture."""
    payload = bytearray()
    async for piece in request.stream():
        payload += piece
        if len(payload) > MAX_MESSAGE_BYTES:
            raise RefusedRequestError("media.too_large", f"at most {MAX_MESSAGE_BYTES} bytes", status=413)
    picture = bytes(payload)
    content_type = sniffed(picture)
    if content_type is None:
        raise RefusedRequestError("media.no_picture", "neither a JPEG nor a WebP picture", status=422)
    sha256 = hashlib.sha256(picture).hexdigest()
    await parts.media.put(sha256, picture)
    async with parts.database.write() as session:
        row = repository.row(sha256, content_type, len(picture), FROM_PEOPLE, parts.clock.now())
        await repository.add_new(session, [row])
    log.info("picture_added", sha256=sha256, by=caller.name)
    return MediaOut(sha256=sha256, content_type=content_type, size=len(picture))


@router.get(
    "/media/{sha256}",
    response_class=Response,
    responses={
        200: {"content": {"image/jpeg": {}, "image/webp": {}}, "description": "The picture"},
        **problems(404),
    },
)
async def get_media(
    sha256: Annotated[str, Path(pattern="^[0-9a-f]{64}$")],
    parts: PartsHere,
    _: Annotated[Caller, caller_with(Scope.MEDIA_READ)],
) -> Response:
    """A picture as its gateway sent it."""
    async with parts.database.read() as session:
        row = await repository.find(session, sha256)
    payload = await parts.media.get(sha256) if row is not None else None
    if row is None or payload is None:
        raise RefusedRequestError("media.unknown", f"nothing is kept under {sha256}", status=404)
    headers = {"Cache-Control": _FOR_EVER, "ETag": f'"{sha256}"', "X-Content-Type-Options": "nosniff"}
    return Response(payload, 200, headers, row.content_type)
