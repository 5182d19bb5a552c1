"""Logging in and out of the page with an API key: a browser cannot send a header with a picture or a live stream."""

from fastapi import APIRouter, Request, Response

from hub.accounts import repository
from hub.accounts.issuing import SESSION_LIFE, digest, open_session
from hub.accounts.schemas import Login
from hub.api.access import address_of, cookie_name, refuse_other_sites
from hub.api.problems import problems
from hub.parts import PartsHere
from protocol.errors import RefusedRequestError

router = APIRouter(tags=["accounts"], responses=problems(403, 405, 503))


@router.post("/login", status_code=204, responses=problems(400, 401, 413, 422, 429))
async def log_in(body: Login, request: Request, parts: PartsHere, response: Response) -> None:
    """Open a session of twelve hours for this browser. The cookie is HttpOnly and SameSite=Strict."""
    refuse_other_sites(request)
    caller = await parts.keys.caller_offering(body.key.get_secret_value(), address_of(request))
    if caller is None:
        raise RefusedRequestError("access.no_key", "the key is unknown, expired or revoked", status=401)
    async with parts.database.write() as session:
        await repository.forget_expired_sessions(session, parts.clock.now())
        cookie = open_session(session, parts.clock, caller.key_id)
    name = cookie_name(parts)
    lifetime_s = int(SESSION_LIFE.total_seconds())
    secure = name.startswith("__Host-")
    response.set_cookie(name, cookie, max_age=lifetime_s, httponly=True, samesite="strict", secure=secure)


@router.post("/logout", status_code=204)
async def log_out(request: Request, parts: PartsHere, response: Response) -> None:
    """Close this browser's session."""
    refuse_other_sites(request)
    name = cookie_name(parts)
    if cookie := request.cookies.get(name):
        async with parts.database.write() as session:
            await repository.close_session(session, digest(cookie))
        parts.keys.forget()
    response.delete_cookie(name, httponly=True, samesite="strict", secure=name.startswith("__Host-"))
