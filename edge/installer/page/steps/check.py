"""The check: everything on the box shows itself, and the hub says what of it is good."""

import asyncio
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.installer.page.problems import problem_of
from edge.installer.page.rendering import language_of, page, see, visit_of
from edge.installer.page.visit import Trial, Visit
from protocol.errors import DiwangError

_AGAIN_S: Final = 2
_ASKED_AGAIN_S: Final = 1.0
_SETTLES_S: Final = 45.0
"""How long devices may take after the agent was begun: cameras and Bluetooth are slow."""


async def _show(request: Request) -> Response:
    visit, language = visit_of(request), language_of(request)
    problem = None
    trial = visit.trial
    settles = trial is not None and trial.running  # before the hub is asked: the trial may be ordered meanwhile
    try:
        visit.installation = await visit.hub.installation()
        visit.check = await visit.hub.check(language) if visit.installation is not None else None
    except DiwangError as error:
        problem = problem_of(error, language)
    if problem is None and trial is not None and trial.error is not None:
        problem = problem_of(trial.error, language)
    check = visit.check
    tried = check is not None and not any(item.code == "untried" for item in check.items)
    waits = check is not None and any(item.verdict == "waiting" for item in check.items)
    return page(
        request,
        "check",
        step="check",
        problem=problem,
        # Asked again also after a mistake of the network: it mends itself.
        again_s=_AGAIN_S if settles or (tried and (waits or problem)) else 0,
        facts={
            "installation": visit.installation,
            "check": check,
            "items": check.items if check is not None and tried and not settles else (),
            "tried": tried,
            "waits": waits,
            "settles": settles,
        },
    )


async def _try(request: Request) -> Response:
    visit = visit_of(request)
    if visit.trial is None or not visit.trial.running:
        visit.trial = Trial()
        visit.begin(_try_out(visit, visit.trial), "trial")
    return see("/check")


async def _try_out(visit: Visit, trial: Trial) -> None:
    """Order the trial once the hub knows every device as well, or some device does not become so in time."""
    config = visit.config
    devices = set(config.devices) if config is not None else set()
    patient_until = visit.clock.monotonic() + _SETTLES_S
    try:
        while visit.clock.monotonic() < patient_until:
            items = (await visit.hub.check("en")).items
            unwell = any(item.code == "device_unwell" for item in items)
            if not unwell and devices <= {item.device for item in items}:
                break
            await asyncio.sleep(_ASKED_AGAIN_S)
        visit.installation = await visit.hub.trial()
    except DiwangError as error:
        trial.error = error
    finally:
        trial.running = False


routes = [Route("/check", _show), Route("/check/try", _try, methods=["POST"])]
