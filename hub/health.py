"""Is the process alive, is it ready, and its numbers: /healthz, /readyz, /metrics."""

from typing import Annotated, Literal

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field
from starlette.responses import PlainTextResponse

from hub.accounts.keyring import Caller
from hub.accounts.scopes import Scope
from hub.api.access import caller_with
from hub.api.problems import problems
from hub.metrics import REGISTRY
from hub.parts import PartsHere

router = APIRouter(tags=["health"])


class Alive(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Ready(BaseModel):
    """Whether the hub serves, and what is missing when it does not."""

    status: Literal["ready", "not ready"]
    missing: dict[str, str] = Field(description="Parts that are not ready, with the reason")


@router.get("/healthz", responses=problems(405))
async def healthz() -> Alive:
    """Answer while the process lives; says nothing of its stores."""
    return Alive()


@router.get("/readyz", responses={**problems(405), 503: {"model": Ready}})
async def readyz(parts: PartsHere, response: Response) -> Ready:
    """Answer 200 when every part is ready, else 503 with those that are not."""
    missing = await parts.readiness.missing()
    response.status_code = 503 if missing else 200
    return Ready(status="not ready" if missing else "ready", missing=missing)


@router.get("/metrics", response_class=PlainTextResponse, responses=problems(401, 403, 405, 429, 503))
async def metrics(_: Annotated[Caller, caller_with(Scope.METRICS_READ)]) -> Response:
    """Numbers in Prometheus's text format."""
    return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)
