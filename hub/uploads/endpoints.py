"""Resumable uploads over HTTP, by tus 1.0: for gateways under /gateway/v1, for keys under /api/v1.

`Upload-Footage: <sha256>` in an answer is the hub's word that the bytes were checked, are on its disk and are evidence
now; only then may the sender forget its own copy. Without it the upload is not over, whatever its offset says.
"""

from collections.abc import Callable
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Path, Request, Response

from hub.accounts.keyring import Caller
from hub.accounts.scopes import Scope
from hub.api.access import caller_with
from hub.api.problems import problems
from hub.gateways.calling import CallingGateway
from hub.parts import Parts, PartsHere
from hub.uploads import headers
from hub.uploads.headers import CHECKSUM_MISMATCH
from hub.uploads.uploading import Sender, Standing, expiry
from protocol.errors import RefusedRequestError

UploadId = Annotated[UUID, Path()]
Said = Annotated[str | None, Header(max_length=64)]

_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": False,
        "content": {headers.OFFSET_TYPE: {"schema": {"type": "string", "format": "binary"}}},
    }
}


def _gateway(gateway: CallingGateway) -> Sender:
    return Sender(f"gateway:{gateway}", gateway)


def _key(caller: Annotated[Caller, caller_with(Scope.FOOTAGE_UPLOAD)]) -> Sender:
    return Sender(f"key:{caller.key_id}")


def _router(root: str, who: str, sender: Callable[..., Sender]) -> APIRouter:
    """Return the routes below `root` for one kind of sender."""
    router = APIRouter(tags=["uploads"])
    Uploader = Annotated[Sender, Depends(sender)]  # noqa: N806 - a type

    @router.options("/uploads", name=f"describe_{who}_uploads", status_code=204)
    async def describe(parts: PartsHere, _: Uploader) -> Response:
        """What the server speaks."""
        return Response(
            None,
            204,
            {
                "Tus-Resumable": headers.VERSION,
                "Tus-Version": headers.VERSION,
                "Tus-Extension": headers.EXTENSIONS,
                "Tus-Max-Size": str(parts.config.uploads.largest_bytes),
                "Tus-Checksum-Algorithm": ",".join(headers.ALGORITHMS),
            },
        )

    @router.post(
        "/uploads",
        name=f"create_{who}_upload",
        status_code=201,
        response_class=Response,
        responses=problems(412, 413, 429, CHECKSUM_MISMATCH, 507),
    )
    async def create(
        parts: PartsHere,
        by: Uploader,
        tus_resumable: Said = None,
        upload_length: Annotated[str | None, Header(description="Size of the file in bytes")] = None,
        upload_metadata: Annotated[
            str | None,
            Header(description="sha256 (required), sm3, device, began_at, ended_at, filename; values in base64"),
        ] = None,
    ) -> Response:
        """Begin an upload. Repeated for the same bytes it answers with the same upload, and where that has come to."""
        headers.require_version(tus_resumable)
        length = headers.number("Upload-Length", upload_length)
        declared = headers.metadata(upload_metadata)
        made = await parts.uploads.create(parts.config.uploads, by, length, upload_metadata or "", declared)
        return Response(None, 201, _told(parts, made) | {"Location": f"{root}/uploads/{made.upload.id}"})

    @router.head(
        "/uploads/{upload_id}",
        name=f"ask_{who}_upload",
        response_class=Response,
        responses=problems(404, 409, 410, 412, CHECKSUM_MISMATCH),
    )
    async def ask(upload_id: UploadId, parts: PartsHere, by: Uploader, tus_resumable: Said = None) -> Response:
        """How far an upload has come."""
        headers.require_version(tus_resumable)
        standing = await parts.uploads.standing(await parts.uploads.find(by, upload_id))
        upload = standing.upload
        told = _told(parts, standing) | {"Upload-Length": str(upload.length), "Cache-Control": "no-store"}
        return Response(None, 200, told | ({"Upload-Metadata": upload.metadata_text} if upload.metadata_text else {}))

    @router.patch(
        "/uploads/{upload_id}",
        name=f"continue_{who}_upload",
        status_code=204,
        responses=problems(404, 408, 409, 410, 412, 413, 415, 423, CHECKSUM_MISMATCH, 507),
        openapi_extra=_BODY,
    )
    async def proceed(
        *,
        upload_id: UploadId,
        request: Request,
        parts: PartsHere,
        by: Uploader,
        tus_resumable: Said = None,
        upload_offset: Annotated[str | None, Header(description="Where these bytes begin")] = None,
        upload_checksum: Annotated[
            str | None, Header(max_length=200, description="`sha256 <base64>` or `sha1 <base64>` of this body")
        ] = None,
    ) -> Response:
        """Bring the bytes that follow. A newer request for the same upload ends an older one."""
        headers.require_version(tus_resumable)
        if request.headers.get("content-type") != headers.OFFSET_TYPE:
            raise RefusedRequestError("uploads.type", f"send Content-Type: {headers.OFFSET_TYPE}", status=415)
        offset = headers.number("Upload-Offset", upload_offset)
        checksum = headers.checksum(upload_checksum)
        announced = request.headers.get("content-length")
        standing = await parts.uploads.take(
            parts.config.uploads,
            await parts.uploads.find(by, upload_id),
            offset,
            checksum=checksum,
            announced=headers.number("Content-Length", announced) if announced is not None else None,
            pieces=request.stream(),
        )
        return Response(None, 204, _told(parts, standing))

    @router.delete(
        "/uploads/{upload_id}", name=f"withdraw_{who}_upload", status_code=204, responses=problems(404, 410, 412)
    )
    async def withdraw(upload_id: UploadId, parts: PartsHere, by: Uploader, tus_resumable: Said = None) -> Response:
        """Always refused (403): what a recorder has offered is not withdrawn by who offered it."""
        headers.require_version(tus_resumable)
        await parts.uploads.find(by, upload_id)
        detail = "recorded footage is not withdrawn; an upload that nobody goes on with expires"
        raise RefusedRequestError("uploads.evidence_stays", detail, status=403)

    return router


def _told(parts: Parts, standing: Standing) -> dict[str, str]:
    told = {"Tus-Resumable": headers.VERSION, "Upload-Offset": str(standing.offset)}
    if standing.kept:
        return told | {"Upload-Footage": standing.upload.sha256}
    return told | {"Upload-Expires": headers.http_date(expiry(standing.upload, parts.config.uploads))}


router: Final = _router("/api/v1", "key", _key)
gateway_router: Final = _router("/gateway/v1", "gateway", _gateway)
