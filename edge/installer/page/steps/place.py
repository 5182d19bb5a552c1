"""The place: who installs, whose box it is, and where it stands."""

import math
from collections.abc import Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.installer.page.problems import Problem, problem_of, told
from edge.installer.page.rendering import form_of, language_of, page, see, visit_of
from edge.installer.positioning import ENOUGH, Mean, mean_of
from edge.standing import Standing
from protocol.errors import DiwangError

_AGAIN_S: Final = 3
_SHORTEST: Final = 2
_BY_HAND_M: Final = 50.0
"""How far off a place is taken to be that somebody read off a map."""


async def _show(request: Request, problem: Problem | None = None) -> Response:
    visit = visit_of(request)
    if visit.installation is None:
        try:
            visit.installation = await visit.hub.installation()
        except DiwangError as error:
            problem = problem or problem_of(error, language_of(request))
    standing = visit.agents.running
    heard = {} if standing is None else {name: len(fixes) for name, fixes in standing.fixes.items()}
    mean = _mean(standing)
    waits = visit.subject is not None and mean is None and bool(visit.devices_of("gps"))
    return page(
        request,
        "place",
        step="place",
        problem=problem,
        again_s=_AGAIN_S if waits and problem is None else 0,
        status=200 if problem is None else 422,
        facts={
            "installation": visit.installation,
            "subject": visit.subject,
            "subjects": visit.subjects,
            "mean": mean,
            "receivers": visit.devices_of("gps"),
            "heard": max(heard.values(), default=0),
            "enough": ENOUGH,
            "cameras": visit.cameras(),
            "change": "change" in request.query_params,
        },
    )


async def _installer(request: Request) -> Response:
    visit, name = visit_of(request), (await form_of(request)).get("installer", "")
    if not name:
        return await _show(request, told("no_installer", language_of(request)))
    try:
        visit.installation = await visit.hub.begin(name)
    except DiwangError as error:
        return await _show(request, problem_of(error, language_of(request)))
    visit.check = visit.certificate = None
    return see("/place")


async def _search(request: Request) -> Response:
    visit, words = visit_of(request), (await form_of(request)).get("words", "")
    if len(words) < _SHORTEST:
        return await _show(request, told("no_words", language_of(request)))
    try:
        visit.subjects = await visit.hub.subjects(words[:64])
    except DiwangError as error:
        return await _show(request, problem_of(error, language_of(request)))
    visit.subject = visit.subjects[0] if len(visit.subjects) == 1 else None
    if not visit.subjects:
        return await _show(request, told("no_subject", language_of(request), words=words))
    return see("/place?change")


async def _subject(request: Request) -> Response:
    """Take the one of the subjects found that was pressed; nothing to choose another."""
    visit, chosen = visit_of(request), (await form_of(request)).get("subject", "")
    visit.subject = next((each for each in visit.subjects if each.id == chosen), None)
    return see("/place?change")


async def _position(request: Request) -> Response:
    visit, form = visit_of(request), await form_of(request)
    language = language_of(request)
    if visit.subject is None:
        return see("/place")
    place = _by_hand(form) if form.get("latitude") else _of(_mean(visit.agents.running))
    if place is None:
        return await _show(request, told("no_position", language))
    try:
        visit.installation = await visit.hub.place(visit.subject.id, place)
    except DiwangError as error:
        return await _show(request, problem_of(error, language))
    return see("/place")


def _mean(standing: Standing | None) -> Mean | None:
    """Return the mean of the receiver whose fixes are best."""
    fixes = standing.fixes.values() if standing is not None else ()
    means = [mean for mean in map(mean_of, fixes) if mean is not None]
    return min(means, key=lambda mean: (mean.accuracy_m, -mean.fixes), default=None)


def _of(mean: Mean | None) -> dict[str, float] | None:
    if mean is None:
        return None
    return {
        "latitude": mean.latitude,
        "longitude": mean.longitude,
        "accuracy_m": mean.accuracy_m,
        "fixes": mean.fixes,
    }


def _by_hand(form: Mapping[str, str]) -> dict[str, float] | None:
    """Return the place that somebody typed, None for what is no place."""
    try:
        latitude, longitude = float(form["latitude"]), float(form.get("longitude", ""))
    except ValueError:
        return None
    if not (math.isfinite(latitude) and math.isfinite(longitude) and abs(latitude) <= 90 and abs(longitude) <= 180):  # noqa: PLR2004
        return None
    return {"latitude": latitude, "longitude": longitude, "accuracy_m": _BY_HAND_M}


routes = [
    Route("/place", _show),
    Route("/place/installer", _installer, methods=["POST"]),
    Route("/place/search", _search, methods=["POST"]),
    Route("/place/subject", _subject, methods=["POST"]),
    Route("/place/position", _position, methods=["POST"]),
]
