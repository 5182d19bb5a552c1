"""Request bodies are bounded before anything reads them."""

from collections.abc import Sequence

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub.api.problems import problem

RULE = "requests.too_large"


class BoundedBodies:
    """ASGI middleware: refuses larger bodies with 413, whether they announce their length or not.

    Routes below `streams` take bodies piece by piece and have bounds of their own.
    """

    def __init__(self, app: ASGIApp, *, max_bytes: int, streams: Sequence[str]) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._streams = tuple(streams)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(self._streams):
            await self._app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > self._max_bytes:
            await problem(413, RULE, self._detail)(scope, receive, send)
            return
        received = 0

        async def receive_bounded() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                raise HTTPException(413, self._detail)
            return message

        await self._app(scope, receive_bounded, send)

    @property
    def _detail(self) -> str:
        return f"a body may have {self._max_bytes} bytes"
