"""The certificate: made by the hub, printed on the site's own printer, and shown with the address that verifies it."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.installer.page.problems import Problem, problem_of, told
from edge.installer.page.rendering import form_of, language_of, page, see, visit_of
from edge.installer.page.visit import Visit
from edge.installer.words import Language
from protocol.errors import DiwangError
from protocol.messages import Receipt

_AGAIN_S: Final = 2


async def _show(request: Request, problem: Problem | None = None) -> Response:
    visit, language = visit_of(request), language_of(request)
    certificate = visit.certificate
    last = None
    if certificate is None and visit.is_enrolled:
        try:
            last = await visit.hub.last_certificate(language)
        except DiwangError as error:
            problem = problem or problem_of(error, language)
    ordered = certificate.printing if certificate is not None else None
    receipt = _receipt(visit, ordered)
    problem = problem or _broken(receipt, language)
    standing = visit.agents.running
    printers = {each.device: each for each in standing.state.devices} if standing is not None else {}
    return page(
        request,
        "certificate",
        step="certificate",
        problem=problem,
        again_s=_AGAIN_S if ordered is not None and receipt is None else 0,
        facts={
            "certificate": certificate,
            "last": last,
            "receipt": receipt,
            "printers": visit.devices_of("printer"),
            "states": printers,
            "ready": visit.check is not None and visit.check.ready,
        },
    )


async def _print(request: Request) -> Response:
    visit, language = visit_of(request), language_of(request)
    printer = (await form_of(request)).get("printer") or None
    try:
        visit.certificate = await visit.hub.certify(printer, language)
    except DiwangError as error:
        return await _show(request, problem_of(error, language))
    return see("/certificate")


def _receipt(visit: Visit, job: str | None) -> Receipt | None:
    """Return what became of the order to print, None as long as nobody knows."""
    standing = visit.agents.standing
    receipts = standing.receipts if standing is not None else ()
    return next((receipt for receipt in reversed(receipts) if job is not None and receipt.job == job), None)


def _broken(receipt: Receipt | None, language: Language) -> Problem | None:
    if receipt is None or receipt.result == "printed":
        return None
    code = "not_confirmed" if receipt.result == "sent_unconfirmed" else "not_printed"
    return told(code, language, printer=receipt.device, reason=receipt.detail or receipt.result)


routes = [Route("/certificate", _show), Route("/certificate/print", _print, methods=["POST"])]
