"""The HTTP application: every router, in one list, behind the conventions of hub/api."""

from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.types import ASGIApp

from hub import health
from hub.accounts import endpoints as accounts
from hub.accounts import login
from hub.alerts import endpoints as alerts
from hub.anomalies import endpoints as anomalies
from hub.api import problems
from hub.api.bounding import BoundedBodies
from hub.api.headers import SecurityHeaders
from hub.api.measuring import Measuring
from hub.certificates import endpoints as certificates
from hub.commands import endpoints as commands
from hub.complaints import endpoints as complaints
from hub.configs import door as configs_door
from hub.configs import endpoints as configs
from hub.custody import endpoints as custody
from hub.device_models import endpoints as device_models
from hub.devices import endpoints as devices
from hub.enrolment import endpoints as enrolment
from hub.enrolment import gateway_endpoints as enrolment_door
from hub.events import endpoints as events
from hub.evidence import endpoints as evidence
from hub.footage import endpoints as footage
from hub.footage import viewing
from hub.gateways import endpoints as gateways
from hub.grids import endpoints as grids
from hub.ingest import endpoints as ingest
from hub.installations import endpoints as installations
from hub.installations import gateway_endpoints as installation_door
from hub.kiosks import endpoints as kiosks
from hub.media import endpoints as media
from hub.notifications import endpoints as notifications
from hub.organisation import endpoints as organisation
from hub.parts import Parts
from hub.recalls import endpoints as recalls
from hub.registers import endpoints as registers
from hub.setup import endpoints as setup
from hub.stream import endpoints as stream
from hub.subjects import endpoints as subjects
from hub.tasks import endpoints as tasks
from hub.telemetry import endpoints as telemetry
from hub.uploads import endpoints as uploads
from hub.web import endpoints as web

API: Final = "/api/v1"

ROUTERS: Final[tuple[APIRouter, ...]] = (
    accounts.router,
    stream.router,
    organisation.router,
    grids.router,
    subjects.router,
    tasks.router,
    telemetry.router,
    notifications.router,
    certificates.router,
    commands.router,
    configs.router,
    devices.router,
    device_models.router,
    enrolment.router,
    events.router,
    gateways.router,
    ingest.router,
    installations.router,
    media.router,
    uploads.router,
    footage.router,
    viewing.router,
    custody.router,
    anomalies.router,
    alerts.router,
    recalls.router,
    registers.router,
    evidence.router,
    complaints.router,
    kiosks.router,
)
"""What lies under /api/v1. A new noun adds its line here."""

GATEWAY_API: Final = "/gateway/v1"

GATEWAY_ROUTERS: Final[tuple[APIRouter, ...]] = (
    uploads.gateway_router,
    enrolment_door.router,
    configs_door.router,
    installation_door.router,
)
"""What lies under /gateway/v1, for boxes: who calls is `hub.gateways.calling.CallingGateway`."""

STREAMED: Final = (f"{API}/media", f"{API}/uploads", f"{GATEWAY_API}/uploads")
"""Routes that take large bodies piece by piece."""

LARGER: Final = {
    f"{API}/grids/import": grids.LARGEST_IMPORT,
    f"{API}/subjects/import": subjects.LARGEST_IMPORT,
    f"{API}/recalls/import": recalls.LARGEST_IMPORT,
}
"""Routes that take larger bodies than others, and how many bytes."""


class _Application(FastAPI):
    """FastAPI whose answer to a bug, which it gives outside of all middleware, has the headers and is counted too."""

    def build_middleware_stack(self) -> ASGIApp:
        parts: Parts = self.state.parts
        https = parts.config.http.public_url.startswith("https:")
        return Measuring(SecurityHeaders(super().build_middleware_stack(), https=https))


def create_app(parts: Parts) -> FastAPI:
    """Return the application that serves these parts. Opens and closes nothing."""
    app = _Application(
        title="Diwang hub",
        version="1",
        summary="Devices, telemetry, anomalies, alerts and the people whose duty they are",
        openapi_url=f"{API}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
    )
    app.state.parts = parts
    problems.install(app)
    for router in ROUTERS:
        app.include_router(router, prefix=API, responses=problems.problems(*problems.COMMON))
    for router in GATEWAY_ROUTERS:
        app.include_router(router, prefix=GATEWAY_API, responses=problems.problems(*problems.COMMON))
    app.include_router(login.router)
    app.include_router(setup.router)
    app.include_router(health.router)
    app.include_router(web.router)
    app.mount("/static", web.static_files)
    http = parts.config.http
    app.add_middleware(BoundedBodies, max_bytes=http.max_body_bytes, larger=LARGER, streams=STREAMED)
    _complete_openapi(app)
    return app


def _operation_id(route: APIRoute) -> str:
    """The function's name: stable, and what generated clients call."""
    return route.name


def _complete_openapi(app: FastAPI) -> None:
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        problems.add_schemas(document.setdefault("components", {}).setdefault("schemas", {}))
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI documents this way to extend it
