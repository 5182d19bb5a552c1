"""Requests in, pages out: languages, forms, templates."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from edge.installer.page.problems import Problem
from edge.installer.page.visit import STEPS, Visit
from edge.installer.words import LANGUAGES, Language, in_words
from protocol.errors import RefusedRequestError

HERE: Final = Path(__file__).parent
LANGUAGE_COOKIE: Final = "language"
_LARGEST_FORM: Final = 64 * 1024
_MOST_FIELDS: Final = 200

_templates: Final = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=select_autoescape(default=True),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def visit_of(request: Request) -> Visit:
    """Return what is under way."""
    visit: Visit = request.app.state.visit
    return visit


def language_of(request: Request) -> Language:
    """Return the language that was chosen last; Chinese when none was."""
    given = request.query_params.get("language") or request.cookies.get(LANGUAGE_COOKIE)
    return next((language for language in LANGUAGES if language == given), LANGUAGES[0])


async def body_of(request: Request, largest: int) -> bytes:
    """Return a request's body. Raises RefusedRequestError (413) for a larger one."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > largest:
            raise RefusedRequestError("page.too_large", f"at most {largest} bytes", status=413)
    return bytes(body)


async def form_of(request: Request) -> dict[str, str]:
    """Return the fields of a form, stripped; of several with one name the last. Raises RefusedRequestError (422)."""
    body = await body_of(request, _LARGEST_FORM)
    try:
        fields = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError as error:
        raise RefusedRequestError("page.no_form", "this is no form", status=422) from error
    return {name: value.strip() for name, value in fields}


def page(
    request: Request,
    name: str,
    *,
    step: str = "",
    problem: Problem | None = None,
    again_s: int = 0,
    status: int = 200,
    facts: Mapping[str, Any] | None = None,
) -> Response:
    """Return a page of a template; one with `again_s` asks for itself again so often."""
    language, visit = language_of(request), visit_of(request)
    context = {
        "t": partial(in_words, language),
        "language": language,
        "other": next(each for each in LANGUAGES if each != language),
        "path": request.url.path,
        "step": step,
        "steps": STEPS if step else (),
        "done": visit.done if step else set(),
        "problem": problem,
        "again_s": again_s,
        **(facts or {}),
    }
    answer = HTMLResponse(_templates.get_template(f"{name}.html").render(context), status)
    if "language" in request.query_params:
        answer.set_cookie(LANGUAGE_COOKIE, language, httponly=True, samesite="strict")
    return answer


def see(path: str) -> Response:
    """Send the browser to another page after a form."""
    return RedirectResponse(path, 303)
