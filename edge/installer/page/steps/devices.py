"""Devices: what is around the box becomes configuration with one key; what cannot be found is written by hand."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.config import GATEWAY_DEVICE
from edge.doctor.findings import catalogue as doctor_catalogue
from edge.installer import adding, writing
from edge.installer.adding import Answers
from edge.installer.found import Found
from edge.installer.page.problems import Problem, problem_of, told
from edge.installer.page.rendering import form_of, language_of, page, see, visit_of
from edge.installer.page.visit import Visit
from edge.installer.scanning import rank
from firmware_configs.gps import GPS
from firmware_configs.printers import PRINTERS
from protocol.errors import DiwangError, RefusedRequestError
from protocol.messages import DeviceState, DeviceStatus

_AGAIN_S: Final = 2


async def _show(request: Request, problem: Problem | None = None) -> Response:
    visit = visit_of(request)
    scan = visit.scan
    config = visit.config
    numbers = (
        {} if scan is None else {number: each for number, each in enumerate(scan.found) if number not in scan.taken}
    )
    found = sorted(numbers.items(), key=lambda each: rank(each[1]))
    statuses = _statuses(visit)
    unsettled = any(status is None or status.status is not DeviceState.OK for status in statuses.values())
    return page(
        request,
        "devices",
        step="devices",
        problem=problem,
        again_s=_AGAIN_S if (scan is not None and scan.running) or unsettled else 0,
        status=200 if problem is None else 422,
        facts={
            "scan": scan,
            "plausible": [(number, each) for number, each in found if each.plausible],
            "others": [(number, each) for number, each in found if not each.plausible],
            "devices": config.devices if config is not None else {},
            "statuses": statuses,
            "clocks_off": visit.clocks_off,
            "remedies": doctor_catalogue(language_of(request))["families"],
        },
    )


async def _search(request: Request) -> Response:
    visit_of(request).search()
    return see("/devices")


async def _ask(request: Request, problem: Problem | None = None) -> Response:
    """Show what is to be said of a device that was found."""
    visit, found = visit_of(request), _found(request)
    config = visit.config
    suggested = writing.free_name(found.kind, config.devices if config is not None else {})
    return page(
        request,
        "add",
        step="devices",
        problem=problem,
        status=200 if problem is None else 422,
        facts={"found": found, "number": request.path_params["number"], "suggested": suggested},
    )


async def _add(request: Request) -> Response:
    visit, found, form = visit_of(request), _found(request), await form_of(request)
    try:
        await _written(visit, found, form)
    except ValueError as error:
        return await _ask(request, told("no_number", language_of(request), reason=error))
    except (DiwangError, OSError) as error:
        return await _ask(request, problem_of(error, language_of(request)))
    if visit.scan is not None:
        visit.scan.taken.add(int(request.path_params["number"]))
    return see("/devices")


async def _by_hand(request: Request) -> Response:
    """Show the form for what no search finds, and take it."""
    visit, problem = visit_of(request), None
    form = await form_of(request) if request.method == "POST" else {}
    if form:
        try:
            await _written(visit, _described(form), form)
        except ValueError as error:
            problem = told("no_number", language_of(request), reason=error)
        except (DiwangError, OSError) as error:
            problem = problem_of(error, language_of(request))
        else:
            return see("/devices")
    facts = {"printers": PRINTERS.names(), "bauds": sorted({b for name in GPS.names() for b in GPS.load(name).bauds})}
    status = 200 if problem is None else 422
    return page(request, "by_hand", step="devices", problem=problem, status=status, facts={**facts, "form": form})


async def _remove(request: Request) -> Response:
    visit = visit_of(request)
    try:
        writing.remove_device(visit.file, str(request.path_params["name"]))
        await visit.agents.begin()
    except (DiwangError, OSError) as error:
        return await _show(request, problem_of(error, language_of(request)))
    return see("/devices")


async def _written(visit: Visit, found: Found, form: dict[str, str]) -> None:
    low, high = (float(form[name].replace(",", ".")) if form.get(name) else None for name in ("low", "high"))
    answers = Answers(
        name=form.get("name", ""),
        username=form.get("username", ""),
        password=form.get("password", ""),
        profile=form.get("profile", ""),
        bind_key=form.get("bind_key", ""),
        low=low,
        high=high,
    )
    added = await adding.add(visit.file, found, answers)
    visit.clocks_off.pop(added.name, None)
    if added.clock_off_s is not None:
        visit.clocks_off[added.name] = added.clock_off_s
    await visit.agents.begin()


def _found(request: Request) -> Found:
    scan, number = visit_of(request).scan, int(request.path_params["number"])
    if scan is None or not 0 <= number < len(scan.found):
        raise RefusedRequestError("page.gone", "search again", status=404)
    return scan.found[number]


def _described(form: dict[str, str]) -> Found:
    """Return what a person says of a device as if it had been found."""
    kind, place = form.get("kind", ""), form.get("place", "")
    about: dict[str, dict[str, Any]] = {
        "camera": {"driver": "camera", "options": {"url": place}, "wants": ("user",)},
        "printer": {
            "driver": "printer",
            "options": {"line": {"kind": "tcp", "host": place, **_port(form)}},
            "profiles": PRINTERS.names(),
            "wants": ("profile",),
        },
        "gps": {
            "driver": "gps.nmea",
            "options": {"source": {"kind": "serial", "port": place, "baud": int(form.get("baud") or 9600)}},
        },
    }
    if kind not in about:
        raise RefusedRequestError("page.no_form", "no such kind of device", status=422)
    return Found(kind=kind, title=place, place=place, plausible=True, why="by_hand", **about[kind])  # type: ignore[arg-type]


def _port(form: dict[str, str]) -> dict[str, int]:
    return {"port": int(form["port"])} if form.get("port") else {}


def _statuses(visit: Visit) -> dict[str, DeviceStatus | None]:
    """Return how each configured device does, None while the agent has not said it since it was begun."""
    config, standing = visit.config, visit.agents.running
    said = {each.device: each for each in standing.state.devices} if standing is not None else {}
    names = [name for name in (config.devices if config is not None else {}) if name != GATEWAY_DEVICE]
    return {name: said.get(name) for name in names}


routes = [
    Route("/devices", _show),
    Route("/devices/search", _search, methods=["POST"]),
    Route("/devices/found/{number:int}", _ask),
    Route("/devices/found/{number:int}/add", _add, methods=["POST"]),
    Route("/devices/by-hand", _by_hand, methods=["GET", "POST"]),
    Route("/devices/{name}/remove", _remove, methods=["POST"]),
]
