"""Taking a picture from a request: a person's upload, or one of an installer through the box."""

import hashlib
from typing import Any, Final

from starlette.requests import Request

from hub.ingest.reading import sniffed
from hub.media import repository
from hub.media.schemas import MediaOut
from hub.parts import Parts
from protocol.errors import RefusedRequestError
from protocol.messages import MAX_MESSAGE_BYTES

PICTURE_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in ("image/jpeg", "image/webp")},
    }
}
"""What the API's description says of such a request."""


async def receive_picture(request: Request, parts: Parts, sender: str) -> MediaOut:
    """Keep the request's body under its SHA-256; the same bytes again are the same picture.

    Raises RefusedRequestError: `media.too_large` (413), `media.no_picture` (422).
    """
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
        row = repository.row(sha256, content_type, len(picture), sender, parts.clock.now())
        await repository.add_new(session, [row])
    return MediaOut(sha256=sha256, content_type=content_type, size=len(picture))
