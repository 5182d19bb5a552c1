"""Who may call a route: a key with the scope that the route names, or a browser session opened with such a key.

    @router.get("/alerts")
    async def alerts(caller: Annotated[Caller, caller_with(Scope.ALERTS_READ)], parts: PartsHere) -> Page[AlertOut]: ...
    # 401 without a key that stands, 403 without the scope; `caller.key_id` names who acts

A browser sends its session cookie by itself, so a cookie counts for a changing request only when the browser says that
the request comes from our own page (Fetch Metadata, or else Origin).
"""

from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from hub.accounts.keyring import Caller, looks_like_key
from hub.accounts.scopes import Scope
from hub.parts import Parts, PartsHere
from protocol.errors import RefusedRequestError

COOKIE: Final = "diwang_session"
SECURE_COOKIE: Final = "__Host-diwang_session"

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_bearer = HTTPBearer(scheme_name="ApiKey", description="An API key: `dw_<id>_<secret>`", auto_error=False)
_cookie = APIKeyCookie(name=COOKIE, scheme_name="Session", description="Set by POST /login", auto_error=False)


def caller_with(scope: Scope) -> Any:  # noqa: ANN401 - FastAPI's Depends is typed so
    """Return the dependency that admits only callers with `scope`, and yields the Caller."""

    async def admitted(caller: Annotated[Caller, Depends(identified)]) -> Caller:
        if not caller.may(scope):
            detail = f"the key {caller.name!r} does not have the scope {scope.value!r}"
            raise RefusedRequestError("access.missing_scope", detail, status=403)
        return caller

    return Depends(admitted)


async def identified(
    request: Request,
    parts: PartsHere,
    key: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    _: Annotated[str | None, Depends(_cookie)],
) -> Caller:
    """Return who calls, or refuse with 401; 429 after too many wrong keys from the same address.

    403 for a changing request that another site made a browser send.
    """
    if key is not None and not looks_like_key(key.credentials):
        caller = None  # costs nothing to refuse, and is no try
    elif key is not None:
        caller = await parts.keys.caller_offering(key.credentials, address_of(request))
    elif cookie := request.cookies.get(cookie_name(parts)):
        if request.method not in _SAFE and not from_our_page(request):
            raise RefusedRequestError("access.cross_site", "the request does not come from this hub's page", status=403)
        caller = await parts.keys.caller_with_session(cookie)
    else:
        caller = None
    if caller is None:
        detail = "send a valid API key: Authorization: Bearer dw_…"
        raise RefusedRequestError("access.no_key", detail, status=401)
    return caller


def cookie_name(parts: Parts) -> str:
    """Return the name of the session cookie: bound to host and HTTPS where the hub is reached by HTTPS."""
    return SECURE_COOKIE if parts.config.http.public_url.startswith("https:") else COOKIE


def address_of(request: Request) -> str:
    """Return the network address of who sent a request, as the server saw it or a trusted proxy says."""
    return request.client.host if request.client else ""


def from_our_page(request: Request) -> bool:
    """Tell whether a browser says that a request comes from a page of this hub."""
    if site := request.headers.get("sec-fetch-site"):
        return site == "same-origin"
    return urlsplit(request.headers.get("origin", "")).netloc == request.headers.get("host")


def refuse_other_sites(request: Request) -> None:
    """Raise RefusedRequestError (403) for what another site made a browser send, where no cookie tells who calls.

    No other site logs a browser in under a name of its choice, or out. Programs say nothing of sites.
    """
    if {"sec-fetch-site", "origin"}.intersection(request.headers) and not from_our_page(request):
        raise RefusedRequestError("access.cross_site", "the request does not come from this hub's page", status=403)
