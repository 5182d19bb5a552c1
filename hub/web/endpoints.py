"""The pages. What those within show comes from the API like everybody's."""

import hmac
from importlib.metadata import version
from pathlib import Path as Folder
from typing import Annotated, Final, Literal

import jinja2
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles

from hub.api.access import cookie_name
from hub.installations import repository as installations
from hub.parts import Parts, PartsHere
from hub.setup import repository as setup
from hub.web.language import COOKIE, language_of
from hub.words.catalogue import DEFAULT, LANGUAGES, Language, words

HERE: Final = Folder(__file__).parent
VERSION: Final = version("diwang")
_YEAR_S: Final = 365 * 86_400

Place = Literal["/", "/enrolments", "/configs"]
"""The pages within."""

CertificateNumber = Annotated[str, Path(pattern=r"^AZ-[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}$")]
CertificateDigits = Annotated[str, Query(pattern="^([0-9a-f]{16})?$")]

router = APIRouter(include_in_schema=False)
static_files = StaticFiles(directory=HERE / "static")

_pages: Final = jinja2.Environment(
    loader=jinja2.FileSystemLoader(HERE / "templates"),
    undefined=jinja2.StrictUndefined,
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
)


@router.get("/")
async def command_centre(request: Request, parts: PartsHere) -> Response:
    """The command centre, for who has logged in."""
    return await _page_within(request, parts, "command_centre.html")


@router.get("/enrolments")
async def enrolments_page(request: Request, parts: PartsHere) -> Response:
    """Work orders for boxes and what became of them, for who has logged in."""
    return await _page_within(request, parts, "enrolments.html")


@router.get("/configs")
async def configs_page(request: Request, parts: PartsHere) -> Response:
    """What each box is to run and what it says it runs, for who has logged in."""
    return await _page_within(request, parts, "configs.html")


@router.get("/login")
async def login_page(request: Request, parts: PartsHere) -> Response:
    """Where a browser hands in its key; a hub without an administrator is set up first."""
    if not await _is_set_up(parts):
        return RedirectResponse("/setup", status_code=303)
    return _page(request, "login.html")


@router.get("/setup")
async def setup_page(request: Request, parts: PartsHere) -> Response:
    """Where the console's token becomes the first key, as long as there is no administrator."""
    if await _is_set_up(parts):
        return RedirectResponse("/login", status_code=303)
    return _page(request, "setup.html")


@router.get("/kiosk")
async def kiosk(request: Request, language: Annotated[Language | None, Query()] = None) -> Response:
    """The page of terminals for the public. It holds no data: what it shows it asks for with the kiosk's key."""
    return _page(request, "kiosk.html", language or DEFAULT)


@router.get("/verify/{number}")
async def verify_page(
    request: Request, parts: PartsHere, number: CertificateNumber, d: CertificateDigits = ""
) -> HTMLResponse:
    """What anyone sees who scans the code of an installation certificate; the code holds digits of what it says."""
    async with parts.database.read() as session:
        row = await installations.with_number(session, number)
    fits = row is not None and hmac.compare_digest((row.digest or "")[:16], d)
    return _page(request, "verify.html", certificate=row.content if row is not None and fits else None)


@router.get("/words/{language}.json")
async def catalogue(language: Language) -> Response:
    """Return the words that the scripts show."""
    return JSONResponse(words(language), headers={"Cache-Control": "no-cache"})


@router.get("/language/{language}")
async def choose_language(language: Language, back: Annotated[Place, Query()] = "/") -> Response:
    """Remember the language and go back."""
    response = RedirectResponse(back, status_code=303)
    response.set_cookie(COOKIE, language, max_age=_YEAR_S, samesite="strict", httponly=True)
    return response


async def _is_set_up(parts: Parts) -> bool:
    async with parts.database.read() as session:
        return await setup.has_administrator(session, parts.clock.now())


async def _page_within(request: Request, parts: Parts, template: str) -> Response:
    cookie = request.cookies.get(cookie_name(parts))
    if cookie is None or await parts.keys.caller_with_session(cookie) is None:
        return RedirectResponse("/login", status_code=303)
    return _page(request, template, path=request.url.path)


def _page(request: Request, template: str, language: Language | None = None, **shown: object) -> HTMLResponse:
    language = language or language_of(request)
    html = _pages.get_template(template).render(
        language=language, languages=LANGUAGES, words=words(language), version=VERSION, **shown
    )
    return HTMLResponse(html, headers={"Cache-Control": "no-store", "Vary": "Cookie, Accept-Language"})
