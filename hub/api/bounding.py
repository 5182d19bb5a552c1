"""Request bodies are bounded before anything reads them."""

from collections.abc import Mapping, Sequence

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub.api.problems import problem

RULE = "requests.too_large"


class BoundedBodies:
    """ASGI middleware: refuses larger bodies with 413, whether they announce their length or not.

    `larger` are paths with a bound of their own. Routes below `streams` take bodies piece by piece, and bound them.
    """

    def __init__(self, app: ASGIApp, *, max_bytes: int, larger: Mapping[str, int], streams: Sequence[str]) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._larger = dict(larger)
        self._streams = tuple(streams)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(self._streams):
            await self._app(scope, receive, send)
            return
        most = self._larger.get(scope["path"], self._max_bytes)
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > most:
            await problem(413, RULE, _detail(most))(scope, receive, send)
            return
        received = 0

        async def receive_bounded() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > most:
                raise HTTPException(413, _detail(most))
            return message

        await self._app(scope, receive_bounded, send)


def _detail(most: int) -> str:
    return f"a body may have {most} bytes"
