"""Counting and timing requests."""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub.metrics import REQUEST_SECONDS, REQUESTS

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Measuring:
    """ASGI middleware around everything, so that refusals are counted too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        method = scope["method"] if scope["method"] in _METHODS else "other"

        async def send_measured(message: Message) -> None:
            if message["type"] == "http.response.start":
                REQUEST_SECONDS.observe(time.perf_counter() - started)
                REQUESTS.labels(method, str(message["status"])).inc()
            await send(message)

        await self._app(scope, receive, send_measured)
