"""The door for boxes: HTTPS under a certificate of the hub's own root, for the routes under /gateway alone.

A box shows its certificate in the handshake, which refuses whatever is not whole. Who it is then stands in the scope of
the request, under PEER, for `hub.gateways.calling`.
"""

from typing import Any, Final

from starlette.types import ASGIApp, Receive, Scope, Send

from hub.api.patience import PatientProtocol
from hub.api.problems import problem
from hub.gateways.calling import PEER

_OPEN: Final = ("/gateway/", "/healthz")


class Door:
    """ASGI application that lets through to the hub's own what boxes may ask."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not scope["path"].startswith(_OPEN):
            await problem(404, "http.not_found", "this door is for boxes: /gateway/v1")(scope, receive, send)
            return
        await self._app(scope, receive, send)


class DoorProtocol(PatientProtocol):
    """HTTP/1.1 whose requests know the certificate that was shown in the handshake."""

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - as uvicorn has it
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        certificate = tls.getpeercert(binary_form=True) if tls is not None else None
        if certificate is not None:
            self.app_state = {**self.app_state, PEER: certificate}
