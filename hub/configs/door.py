"""What boxes fetch and report, under /gateway/v1: signed metadata, the files that it names, and what they run.

The metadata says nothing that is worth hiding but the names of gateways; a file of another gateway is not given out.
"""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Response
from starlette.responses import FileResponse

from hub.api.problems import problems
from hub.configs import repository
from hub.configs.model import ConfigReport
from hub.configs.publishing import PROFILES
from hub.configs.releases import file_of
from hub.configs.schemas import ReportIn
from hub.gateways.calling import CallingGateway
from hub.parts import PartsHere
from protocol import logs
from protocol.errors import RefusedRequestError

router = APIRouter(tags=["configs of the calling gateway"])

_BINARY: Final = {"content": {"application/octet-stream": {}}, "description": "The file"}
_RELEASES: Final = "releases"

Metadata = Annotated[
    str, Path(pattern=r"^(timestamp|[1-9][0-9]{0,8}\.(root|targets|snapshot|configs-[0-9a-f]{2}))\.json$")
]
Target = Annotated[str, Path(pattern=r"^[A-Za-z0-9._+!/-]{1,250}$")]

log = logs.get(__name__)


@router.get(
    "/configs/metadata/{name}",
    response_class=Response,
    responses={
        **problems(404),
        200: {"content": {"application/json": {}}, "description": "Metadata of The Update Framework"},
    },
)
async def get_signed_metadata(name: Metadata, parts: PartsHere, _: CallingGateway) -> Response:
    """Signed metadata of The Update Framework, by version and role; `timestamp` has no version."""
    number, _, role = name.removesuffix(".json").rpartition(".")
    async with parts.database.read() as session:
        if number:
            row = await repository.metadata(session, role, int(number))
        else:
            row = await repository.newest_metadata(session, role)
    if row is None:
        raise RefusedRequestError("configs.unknown_metadata", f"no metadata {name}", status=404)
    return Response(row.content, media_type="application/json")


@router.get("/configs/targets/{path:path}", response_class=Response, responses={**problems(404), 200: _BINARY})
async def get_signed_target(path: Target, parts: PartsHere, gateway: CallingGateway) -> Response:
    """A file that signed metadata names: `<folders>/<its SHA-256>.<name>`. Of the gateway that calls, or of all."""
    folder, _, name = path.rpartition("/")
    digest, _, plain = name.partition(".")
    whose = folder.partition("/")[0]
    if whose == _RELEASES and (file := file_of(parts.config.data, digest)) is not None:
        return FileResponse(file, media_type="application/octet-stream")
    if whose in {gateway, PROFILES}:
        async with parts.database.read() as session:
            row = await repository.target(session, f"{folder}/{plain}", digest)
        if row is not None:
            return Response(row.content, media_type="application/octet-stream")
    raise RefusedRequestError("configs.unknown_target", "no such file for this gateway", status=404)


@router.put("/configs/reported", status_code=204)
async def report_config(body: ReportIn, parts: PartsHere, gateway: CallingGateway) -> None:
    """Say what the calling gateway runs, and what became of what it was to run."""
    async with parts.database.write() as session:
        row = await repository.report(session, gateway)
        if row is None:
            row = ConfigReport(gateway=gateway)
            session.add(row)
        row.bundle, row.outcome, row.about, row.detail = body.bundle, body.outcome, body.about, body.detail
        row.agent, row.tree, row.reported_at = body.agent, body.config, parts.clock.now()
        told = {"gateway": gateway, "bundle": body.bundle, "outcome": body.outcome, "about": body.about}
        await parts.stream.append(session, "config", told)
    if body.outcome in {"refused", "returned"}:
        log.warning("configuration_not_taken", detail=body.detail, **told)
