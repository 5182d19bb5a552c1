"""The check: everything on the box shows itself, and the hub says what of it is good."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.installer.page.problems import problem_of
from edge.installer.page.rendering import language_of, page, see, visit_of
from protocol.errors import DiwangError

_AGAIN_S: Final = 2
_UNTRIED: Final = frozenset({"untried", "device_untried"})


async def _show(request: Request) -> Response:
    visit, language = visit_of(request), language_of(request)
    problem = None
    try:
        visit.installation = await visit.hub.installation()
        visit.check = await visit.hub.check(language) if visit.installation is not None else None
    except DiwangError as error:
        problem = problem_of(error, language)
    check = visit.check
    waits = check is not None and any(item.verdict == "waiting" for item in check.items)
    tried = check is not None and not any(item.code == "untried" for item in check.items)
    return page(
        request,
        "check",
        step="check",
        problem=problem,
        # Asked again also after a mistake of the network: it mends itself.
        again_s=_AGAIN_S if tried and (waits or problem) else 0,
        facts={
            "installation": visit.installation,
            "check": check,
            "items": [item for item in check.items if item.code not in _UNTRIED or tried] if check else [],
            "tried": tried,
            "waits": waits,
        },
    )


async def _try(request: Request) -> Response:
    visit, language = visit_of(request), language_of(request)
    try:
        visit.installation = await visit.hub.trial()
    except DiwangError as error:
        facts: dict[str, object] = {
            "installation": visit.installation,
            "check": None,
            "items": [],
            "tried": False,
            "waits": False,
        }
        return page(request, "check", step="check", problem=problem_of(error, language), status=422, facts=facts)
    return see("/check")


routes = [Route("/check", _show), Route("/check/try", _try, methods=["POST"])]
