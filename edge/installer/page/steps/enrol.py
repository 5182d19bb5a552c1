"""Enrolling: the ticket is typed or pasted, and the digits are compared."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.enrolment import enrolling
from edge.enrolment.words import IdentityError
from edge.installer.agents import AgentError
from edge.installer.page.problems import problem_of
from edge.installer.page.rendering import form_of, language_of, page, see, visit_of
from edge.installer.page.visit import Enrolling, Visit
from protocol.enrolment import read_ticket
from protocol.errors import DiwangError, UndecodableMessageError

_AGAIN_S: Final = 1


async def _enrol(request: Request) -> Response:
    visit = visit_of(request)
    if request.method == "POST":
        return await _begin(request, visit)
    under_way = visit.enrolling
    running = under_way is not None and under_way.running
    error = under_way.error if under_way is not None else None
    config = visit.config
    return page(
        request,
        "enrol",
        step="enrol",
        problem=problem_of(error, language_of(request)) if error else None,
        again_s=_AGAIN_S if running else 0,
        facts={
            "under_way": under_way if running else None,
            "gateway": config.gateway.id if config is not None and visit.is_enrolled else "",
            "agent": visit.agents.running,
        },
    )


async def _begin(request: Request, visit: Visit) -> Response:
    ticket = (await form_of(request)).get("ticket", "")
    if visit.enrolling is None or not visit.enrolling.running:
        visit.enrolling = Enrolling()
        try:
            read_ticket(ticket)
        except UndecodableMessageError:
            visit.enrolling.running, visit.enrolling.error = False, IdentityError("ticket")
        else:
            visit.begin(_use(visit, visit.enrolling, ticket), "enrol")
    return see("/enrol")


async def _use(visit: Visit, under_way: Enrolling, ticket: str) -> None:
    """Use the ticket while no agent runs, and have one run afterwards, also when the ticket was none."""

    def show(digits: str, waiting: bool) -> None:  # noqa: FBT001 - as enrolling calls it
        under_way.digits, under_way.waiting = digits, waiting

    ran = visit.agents.running is not None
    try:
        await visit.agents.stop()
        await enrolling.enrol(ticket, visit.file, show)
        visit.installation = visit.check = visit.certificate = None
        ran = True
    except (DiwangError, AgentError) as error:
        under_way.error = error
    try:
        if ran:
            await visit.agents.begin()
    except AgentError as error:
        under_way.error = under_way.error or error
    finally:
        under_way.running = False


routes = [Route("/enrol", _enrol, methods=["GET", "POST"])]
