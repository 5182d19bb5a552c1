"""Cameras: what they see, what of it nobody may see, and the sign that tells of them (视频条例 Art. 8 and 13)."""

from typing import Annotated, Any, Final, get_args

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from edge.installer import writing
from edge.installer.hub import View, Zone
from edge.installer.looking import picture
from edge.installer.page.problems import Problem, problem_of, told
from edge.installer.page.rendering import body_of, form_of, language_of, page, see, visit_of
from edge.installer.page.visit import Visit
from protocol.errors import DiwangError, RefusedRequestError

_LARGEST_PHOTO: Final = 512 * 1024
_VIEWS: Final[tuple[str, ...]] = get_args(View)

_HERE: Final = frozenset({"zones", "sign"})
"""What of the legal register is found out on site; the rest is entered at the office."""

_Share = Annotated[float, Meta(ge=0, le=1)]
_Masks = Annotated[tuple[tuple[_Share, _Share, _Share, _Share], ...], Meta(max_length=32)]


async def _list(request: Request) -> Response:
    visit = visit_of(request)
    cameras = visit.cameras()
    problem = await _read_registers(request, *cameras)
    facts = {"cameras": cameras, "registered": [each for each in cameras if _is_registered(visit, each)]}
    return page(request, "cameras", step="place", problem=problem, facts=facts)


async def _show(request: Request, problem: Problem | None = None) -> Response:
    visit, camera = visit_of(request), _camera(request)
    zones: tuple[Zone, ...] = ()
    try:
        zones = await visit.hub.zones()
    except DiwangError as error:
        problem = problem or problem_of(error, language_of(request))
    else:
        problem = problem or await _read_registers(request, camera)
    config = visit.config
    register = visit.registers.get(camera)
    options: dict[str, Any] = config.devices[camera].options if config is not None else {}
    return page(
        request,
        "camera",
        step="place",
        problem=problem,
        status=200 if problem is None else 422,
        facts={
            "camera": camera,
            "zones": zones,
            "views": _VIEWS,
            "register": register,
            "others": [each for each in register.missing if each.item not in _HERE] if register is not None else [],
            "masks": msgspec.json.encode(options.get("masks", [])).decode(),
        },
    )


async def _picture(request: Request) -> Response:
    visit, camera = visit_of(request), _camera(request)
    config = visit.config
    if config is None:
        raise RefusedRequestError("page.gone", "no configuration", status=404)
    try:
        jpeg = await picture(config, camera, visit.clock)
    except DiwangError as error:
        return PlainTextResponse(problem_of(error, language_of(request)).what, 503)
    return Response(jpeg, media_type="image/jpeg")


async def _mask(request: Request) -> Response:
    visit, camera = visit_of(request), _camera(request)
    form = await form_of(request)
    try:
        masks = msgspec.json.decode(form.get("masks", ""), type=_Masks)
        writing.change_options(visit.file, camera, {"masks": [list(mask) for mask in masks]})
        await visit.agents.begin()
    except msgspec.DecodeError:
        return await _show(request, told("no_masks", language_of(request)))
    except (DiwangError, OSError) as error:
        return await _show(request, problem_of(error, language_of(request)))
    return see(f"/cameras/{camera}")


async def _zones(request: Request) -> Response:
    visit, camera = visit_of(request), _camera(request)
    form = await form_of(request)
    try:
        zones = {zone.id: _view(form.get(zone.id, "")) for zone in await visit.hub.zones()}
        said = {zone: view for zone, view in zones.items() if view is not None}
        if len(said) < len(zones):
            return await _show(request, told("zones_open", language_of(request)))
        visit.registers[camera] = await visit.hub.say_zones(camera, said)
    except DiwangError as error:
        return await _show(request, problem_of(error, language_of(request)))
    if "seen" in said.values():
        return await _show(request, told("zone_seen", language_of(request)))
    return see(f"/cameras/{camera}")


async def _sign(request: Request) -> Response:
    """Take the photo, made small by the page's own script."""
    visit, camera = visit_of(request), _camera(request)
    try:
        visit.registers[camera] = await visit.hub.show_sign(camera, await body_of(request, _LARGEST_PHOTO))
    except DiwangError as error:
        status = error.status if isinstance(error, RefusedRequestError) else 503
        return PlainTextResponse(problem_of(error, language_of(request)).what, status)
    return Response(status_code=204)


async def _read_registers(request: Request, *cameras: str) -> Problem | None:
    """Read what the hub has registered of cameras; what it said before stays while it cannot be asked."""
    visit = visit_of(request)
    try:
        for camera in cameras:
            register = await visit.hub.register(camera)
            if register is not None:
                visit.registers[camera] = register
    except DiwangError as error:
        return problem_of(error, language_of(request))
    return None


def _camera(request: Request) -> str:
    name = str(request.path_params["name"])
    if name not in visit_of(request).cameras():
        raise RefusedRequestError("page.gone", f"no camera {name}", status=404)
    return name


def _view(text: str) -> View | None:
    return text if text in _VIEWS else None  # type: ignore[return-value] # it is one of them


def _is_registered(visit: Visit, camera: str) -> bool:
    """Tell whether everything that an installer can register of a camera is."""
    register = visit.registers.get(camera)
    return register is not None and not {each.item for each in register.missing} & _HERE


routes = [
    Route("/cameras", _list),
    Route("/cameras/{name}", _show),
    Route("/cameras/{name}/picture", _picture),
    Route("/cameras/{name}/masks", _mask, methods=["POST"]),
    Route("/cameras/{name}/zones", _zones, methods=["POST"]),
    Route("/cameras/{name}/sign", _sign, methods=["PUT"]),
]
