"""The page, put together: who gets in, from where, and what a browser may do with it."""

from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge.installer.access import COOKIE, Access
from edge.installer.page.problems import problem_of, told
from edge.installer.page.rendering import HERE, form_of, language_of, page, see, visit_of
from edge.installer.page.steps import cameras, certificate, check, devices, enrol, mend, place
from edge.installer.page.visit import Visit
from protocol.errors import RefusedRequestError

_HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_OPEN: Final = ("/login", "/static/")
_SAFE: Final = frozenset({"GET", "HEAD"})


def create_app(visit: Visit, access: Access, touch: Callable[[], None], end: Callable[[], None]) -> Starlette:
    """Return the page. `touch` is called for each request of somebody who is in, `end` when they are done."""
    app = Starlette(
        routes=[
            Route("/login", _login, methods=["GET", "POST"]),
            Route("/", lambda request: see(f"/{visit_of(request).next}")),
            *(route for step in (enrol, devices, place, cameras, check, certificate, mend) for route in step.routes),
            Route("/end", _end, methods=["POST"]),
            Mount("/static", StaticFiles(directory=HERE / "static")),
        ],
        middleware=[Middleware(_Headers), Middleware(_Gate, access=access, touch=touch)],
        exception_handlers={404: _nowhere, RefusedRequestError: _refused},
    )
    app.state.visit, app.state.access, app.state.end = visit, access, end
    return app


async def _login(request: Request) -> Response:
    access: Access = request.app.state.access
    language = language_of(request)
    if request.method == "GET":
        return page(request, "login")
    session = access.enter((await form_of(request)).get("password", ""))
    if session is not None:
        answer = see("/")
        answer.set_cookie(COOKIE, session, httponly=True, samesite="strict")
        return answer
    if access.wait_s:
        problem = told("login_wait", language, seconds=round(access.wait_s))
        return page(request, "login", problem=problem, status=429)
    return page(request, "login", problem=told("login_wrong", language), status=403)


async def _end(request: Request) -> Response:
    request.app.state.end()
    return page(request, "ended")


async def _nowhere(request: Request, _: Exception) -> Response:
    return page(request, "message", problem=told("nowhere", language_of(request)), status=404)


async def _refused(request: Request, error: Exception) -> Response:
    status = error.status if isinstance(error, RefusedRequestError) else 400
    return page(request, "message", problem=problem_of(error, language_of(request)), status=status)


class _Headers:
    """Adds the headers of every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


class _Gate:
    """Lets in who has a session, and takes changes from this page alone.

    A browser names the page that a form or a script comes from (`Origin`, Fetch Standard 3.2); another page that asks
    on behalf of the installer names itself, and has no cookie that is of the same site.
    """

    def __init__(self, app: ASGIApp, access: Access, touch: Callable[[], None]) -> None:
        self._app = app
        self._access = access
        self._touch = touch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        if request.method not in _SAFE and not _is_from_here(request):
            await PlainTextResponse("from another page", 403)(scope, receive, send)
        elif self._access.knows(request.cookies.get(COOKIE, "")):
            self._touch()
            await self._app(scope, receive, send)
        elif scope["path"].startswith(_OPEN):
            await self._app(scope, receive, send)
        else:
            await see("/login")(scope, receive, send)


def _is_from_here(request: Request) -> bool:
    origin = request.headers.get("origin", "")
    try:
        return bool(origin) and urlsplit(origin).netloc == request.headers.get("host", "")
    except ValueError:
        return False
