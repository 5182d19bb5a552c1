"""Pictures by their SHA-256. What a name stands for never changes, so it may be cached for ever."""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Request, Response

from hub.accounts.keyring import Caller
from hub.accounts.scopes import Scope
from hub.api.access import caller_with
from hub.api.problems import problems
from hub.media import repository
from hub.media.receiving import PICTURE_BODY, receive_picture
from hub.media.repository import FROM_PEOPLE
from hub.media.schemas import MediaOut
from hub.parts import PartsHere
from protocol import logs
from protocol.errors import RefusedRequestError

router = APIRouter(tags=["media"])

log = logs.get(__name__)

_FOR_EVER: Final = "private, max-age=31536000, immutable"


@router.post("/media", status_code=201, responses=problems(413), openapi_extra=PICTURE_BODY)
async def add_picture(
    request: Request, parts: PartsHere, caller: Annotated[Caller, caller_with(Scope.MEDIA_WRITE)]
) -> MediaOut:
    """Keep a picture that a person took: JPEG or WebP, at most 512 KiB. The same bytes again are the same picture."""
    picture = await receive_picture(request, parts, FROM_PEOPLE)
    log.info("picture_added", sha256=picture.sha256, by=caller.name)
    return picture


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
