"""What is wrong: the doctor's findings."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.doctor.examination import examine
from edge.doctor.findings import Verdict, catalogue, in_words
from edge.installer.page.rendering import language_of, page, visit_of


async def _show(request: Request) -> Response:
    visit, language = visit_of(request), language_of(request)
    findings = [finding async for finding in examine(visit.file, visit.clock)]
    shown = sorted(findings, key=lambda finding: list(reversed(Verdict)).index(finding.verdict))
    facts = {
        "findings": [(finding.verdict.value, in_words(finding, language)) for finding in shown],
        "verdicts": catalogue(language)["verdicts"],
    }
    return page(request, "mend", facts=facts)


routes = [Route("/mend", _show)]
