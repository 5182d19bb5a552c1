"""Refusals as RFC 9457 problem details, the same shape for every route.

    raise RefusedRequestError("grids.overlap", "grid A overlaps grid B by 12 m2")         # 409, rule "grids.overlap"
    raise RefusedRequestError("alerts.unknown", f"no alert {alert_id}", status=404)
    @router.get("/alerts/{alert_id}", responses=problems(404))                            # declared in OpenAPI

Routers that app.py includes declare the COMMON statuses already, as all their routes want a key; a route adds what else
it answers.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.routing import compile_path

from hub.accounts.throttle import WINDOW_S
from protocol import logs
from protocol.errors import RefusedRequestError, StoreUnavailableError

log = logs.get(__name__)

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_S: Final = 2
_PHRASES: Final = {460: "Checksum Mismatch"}
"""Statuses that HTTP itself does not know: 460 is of tus 1.0."""

COMMON: Final = (400, 401, 403, 405, 413, 422, 429, 503)


class FieldProblem(BaseModel):
    """What is wrong with one field of a request."""

    where: list[str | int] = Field(description="Path to the field, starting with body, query, path or header")
    detail: str


class Problem(BaseModel):
    """A refusal (RFC 9457)."""

    model_config = ConfigDict(extra="forbid")

    type: str = Field(description="urn:diwang:rule:<rule>", examples=["urn:diwang:rule:grids.overlap"])
    title: str = Field(description="The HTTP status in words")
    status: int
    detail: str = Field(description="What was refused and why, for people")
    rule: str = Field(description="Stable, dotted name of the rule that refuses")
    errors: list[FieldProblem] | None = Field(default=None, description="Only for requests that do not validate")


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI declaration of problem answers, for `responses=`."""
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {status: {"description": _phrase(status), "content": {MEDIA_TYPE: schema}} for status in statuses}


def problem(
    status: int,
    rule: str,
    detail: str,
    *,
    errors: Sequence[FieldProblem] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Return the answer that tells one problem."""
    body = Problem(
        type=f"urn:diwang:rule:{rule}",
        title=_phrase(status),
        status=status,
        detail=detail,
        rule=rule,
        errors=list(errors) if errors is not None else None,
    )
    return JSONResponse(body.model_dump(exclude_none=True), status, headers, MEDIA_TYPE)


def _phrase(status: int) -> str:
    return _PHRASES.get(status) or HTTPStatus(status).phrase


def install(app: FastAPI) -> None:
    """Make `app` answer every refusal and failure as a problem."""
    app.add_exception_handler(RefusedRequestError, _refused)
    app.add_exception_handler(StoreUnavailableError, _unavailable)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _failed)


def add_schemas(components: dict[str, Any]) -> None:
    """Add the shapes that `problems` refers to to the `components.schemas` of an OpenAPI document."""
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    components.update(schema.pop("$defs"))
    components["Problem"] = schema


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RefusedRequestError)  # noqa: S101 - registered for this class
    return problem(error.status, error.rule, error.detail, headers=_hints(error.status, request))


async def _unavailable(request: Request, error: Exception) -> JSONResponse:
    log.warning("store_unavailable", path=request.url.path, reason=str(error))
    detail = "a store does not answer at the moment; nothing was changed, the same request may be repeated"
    return problem(503, "stores.unavailable", detail, headers=_hints(503, request))


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class
    found = error.errors()
    if any(each["type"] == "json_invalid" for each in found):
        return problem(400, "requests.not_json", f"the body is not JSON: {found[0]['ctx']['error']}")
    errors = [FieldProblem(where=list(each["loc"]), detail=each["msg"]) for each in found]
    return problem(422, "requests.invalid", "; ".join(_sentence(each) for each in errors[:5]), errors=errors)


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class
    phrase = HTTPStatus(error.status_code).phrase
    rule = f"http.{phrase.lower().replace(' ', '_').replace('-', '_')}"
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(sorted(_methods(request))) or headers["Allow"]
    return problem(error.status_code, rule, str(error.detail), headers=headers)


async def _failed(request: Request, error: Exception) -> JSONResponse:
    log.error("request_failed", path=request.url.path, method=request.method, exc_info=error)
    return problem(500, "http.internal_server_error", "the hub failed; the failure is in its log")


def _methods(request: Request) -> set[str]:
    """Return what may be done at a path: FastAPI's own 405 tells of the first route that fits, not of all."""
    app: FastAPI = request.app
    paths = app.openapi()["paths"]
    here = request.url.path
    fitting = [here] if here in paths else [path for path in paths if compile_path(path)[0].match(here)]
    return {method.upper() for path in fitting for method in paths[path]}


def _hints(status: int, request: Request) -> dict[str, str] | None:
    match status:
        case 401:
            of_gateways = request.url.path.startswith("/gateway/")
            return {"WWW-Authenticate": 'Basic realm="gateway"' if of_gateways else "Bearer"}
        case 429:
            return {"Retry-After": str(WINDOW_S)}
        case 503:
            return {"Retry-After": str(RETRY_AFTER_S)}
        case _:
            return None


def _sentence(error: FieldProblem) -> str:
    return f"{'.'.join(map(str, error.where))}: {error.detail}"
