"""Alerts over HTTP: list, look at one, and act upon it."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Path, Query, Response
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts.keyring import Caller
from hub.accounts.scopes import Scope
from hub.alerts import repository
from hub.alerts.acting import Ordered, WorkOrder, act_on
from hub.alerts.lifecycle import Act, AlertState
from hub.alerts.model import AlertRow
from hub.alerts.schemas import ActIn, AlertOut, AlertWhole, DispatchIn, RejectIn
from hub.api.access import caller_with
from hub.api.paging import Page, PagingHere
from hub.api.preconditions import IfMatchIfAny, tag
from hub.api.problems import problems
from hub.api.values import Line
from hub.grids.schemas import GridId
from hub.parts import Parts, PartsHere
from protocol.messages import Severity

router = APIRouter(tags=["alerts"])

Reader = Annotated[Caller, caller_with(Scope.ALERTS_READ)]
Actor = Annotated[Caller, caller_with(Scope.ALERTS_ACT)]
AlertId = Annotated[UUID, Path()]

_ACT = problems(404, 409, 412)
_NOTHING_SAID = ActIn()
_NOBODY_NAMED = DispatchIn()


@router.get("/alerts")
async def list_alerts(
    *,
    parts: PartsHere,
    _: Reader,
    paging: PagingHere,
    state: Annotated[list[AlertState] | None, Query(max_length=6, description="Any of these")] = None,
    severity: Annotated[Severity | None, Query()] = None,
    grid: Annotated[GridId | None, Query()] = None,
    subject: Annotated[UUID | None, Query()] = None,
    kind: Annotated[Line | None, Query(alias="type")] = None,
) -> Page[AlertOut]:
    """Alerts, those raised last first."""
    wanted = repository.listed(
        states=[each.value for each in state] if state else None,
        severity=severity.value if severity else None,
        grid=grid,
        subject=subject,
        kind=kind,
    )
    async with parts.database.read() as session:
        page = await paging.page(session, wanted, (AlertRow.raised_at.desc(), AlertRow.id.desc()), AlertOut.of)
        tasks = await repository.tasks(session, [item.id for item in page.items])
        for item in page.items:
            item.tasks = tasks.get(item.id, [])
        return page


@router.get("/alerts/{alert_id}", responses=problems(404))
async def get_alert(alert_id: AlertId, parts: PartsHere, _: Reader, response: Response) -> AlertWhole:
    """One alert with what was done about it, the anomalies that it counted and their images; with an ETag."""
    async with parts.database.read() as session:
        row = await repository.find(session, alert_id)
        tasks = await repository.tasks(session, [row.id])
        acts = await repository.acts(session, row.id)
        anomalies = await repository.anomalies(session, row.id)
    tag(response, row.version)
    return AlertWhole.whole(row, tasks.get(row.id, []), acts, anomalies)


@router.post("/alerts/{alert_id}/acknowledge", responses=_ACT)
async def acknowledge_alert(
    *,
    alert_id: AlertId,
    parts: PartsHere,
    caller: Actor,
    if_match: IfMatchIfAny,
    response: Response,
    body: Annotated[ActIn, Body()] = _NOTHING_SAID,
) -> AlertOut:
    """Say that somebody looks after it."""
    return await _acted(parts, alert_id, _ordered(Act.ACKNOWLEDGE, caller, body), if_match=if_match, response=response)


@router.post("/alerts/{alert_id}/verify", responses=_ACT)
async def verify_alert(
    *,
    alert_id: AlertId,
    parts: PartsHere,
    caller: Actor,
    if_match: IfMatchIfAny,
    response: Response,
    body: Annotated[ActIn, Body()] = _NOTHING_SAID,
) -> AlertOut:
    """Say that a person looked, and that it is true."""
    return await _acted(parts, alert_id, _ordered(Act.VERIFY, caller, body), if_match=if_match, response=response)


@router.post("/alerts/{alert_id}/reject", responses=_ACT)
async def reject_alert(
    *,
    alert_id: AlertId,
    parts: PartsHere,
    caller: Actor,
    if_match: IfMatchIfAny,
    response: Response,
    body: RejectIn,
) -> AlertOut:
    """Say that a person looked, and that it is no true alarm, with the reason. That ends it."""
    return await _acted(parts, alert_id, _ordered(Act.REJECT, caller, body), if_match=if_match, response=response)


@router.post("/alerts/{alert_id}/dispatch", responses=_ACT)
async def dispatch_alert(
    *,
    alert_id: AlertId,
    parts: PartsHere,
    caller: Actor,
    if_match: IfMatchIfAny,
    response: Response,
    body: Annotated[DispatchIn, Body()] = _NOBODY_NAMED,
) -> AlertOut:
    """Send somebody: opens the alert's one task. What a camera saw must be verified first (APL Art. 41)."""
    work = WorkOrder(officer_id=body.officer, kind=body.kind, due=body.due_at)
    return await _acted(
        parts, alert_id, _ordered(Act.DISPATCH, caller, body), if_match=if_match, response=response, work=work
    )


@router.post("/alerts/{alert_id}/close", responses=_ACT)
async def close_alert(
    *,
    alert_id: AlertId,
    parts: PartsHere,
    caller: Actor,
    if_match: IfMatchIfAny,
    response: Response,
    body: Annotated[ActIn, Body()] = _NOTHING_SAID,
) -> AlertOut:
    """End it. Not by the person who dispatched it; what a camera saw must be verified first, or rejected."""
    return await _acted(parts, alert_id, _ordered(Act.CLOSE, caller, body), if_match=if_match, response=response)


async def _acted(
    parts: Parts,
    alert_id: UUID,
    ordered: Ordered,
    *,
    if_match: IfMatchIfAny,
    response: Response,
    work: WorkOrder | None = None,
) -> AlertOut:
    async with parts.database.write() as session:
        row = await repository.find(session, alert_id, held=True)
        if_match.require(row.version)
        await act_on(session, parts.clock, parts.stream, row, ordered, work=work)
        shape = await _shape(session, row)
    tag(response, shape.version)
    return shape


async def _shape(session: AsyncSession, row: AlertRow) -> AlertOut:
    tasks = await repository.tasks(session, [row.id])
    return AlertOut.of(row, tasks.get(row.id, []))


def _ordered(act: Act, caller: Caller, body: ActIn) -> Ordered:
    return Ordered(act=act, key=f"key:{caller.key_id}", actor=body.actor, reason=body.reason)
