"""Alerts over HTTP: list, look at one, and act upon it."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Path, Query, Response

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
from hub.parts import PartsHere
from protocol.messages import Severity

router = APIRouter(tags=["alerts"])

Reader = Annotated[Caller, caller_with(Scope.ALERTS_READ)]
Actor = Annotated[Caller, caller_with(Scope.ALERTS_ACT)]
AlertId = Annotated[UUID, Path()]

_ALERT = "/alerts/{alert_id}"
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


@router.get(_ALERT, responses=problems(404))
async def get_alert(alert_id: AlertId, parts: PartsHere, _: Reader, response: Response) -> AlertWhole:
    """One alert with what was done about it, the anomalies that it counted and their images; with an ETag."""
    async with parts.database.read() as session:
        row = await repository.find(session, alert_id)
        tasks = await repository.tasks(session, [row.id])
        acts = await repository.acts(session, row.id)
        anomalies = await repository.anomalies(session, row.id)
    tag(response, row.version)
    return AlertWhole.whole(row, tasks.get(row.id, []), acts, anomalies)


@dataclass(frozen=True, slots=True)
class Acting:
    """What every act upon an alert begins with: which one it is, who acts, and what they have seen of it."""

    alert_id: AlertId
    parts: PartsHere
    caller: Actor
    if_match: IfMatchIfAny
    response: Response

    async def done(self, act: Act, body: ActIn, *, work: WorkOrder | None = None) -> AlertOut:
        """Act in one write transaction; return what the alert is now, and tag the response with its version.

        Raises RefusedRequestError: 404, 412, and what `act_on` raises.
        """
        parts = self.parts
        ordered = Ordered(act=act, key=f"key:{self.caller.key_id}", actor=body.actor, reason=body.reason)
        async with parts.database.write() as session:
            row = await repository.find(session, self.alert_id, held=True)
            self.if_match.require(row.version)
            await act_on(session, parts.clock, parts.stream, row, ordered, work=work)
            tasks = await repository.tasks(session, [row.id])
            shape = AlertOut.of(row, tasks.get(row.id, []))
        tag(self.response, shape.version)
        return shape


ActingHere = Annotated[Acting, Depends()]


@router.post(_ALERT + "/acknowledge", responses=_ACT)
async def acknowledge_alert(acting: ActingHere, body: Annotated[ActIn, Body()] = _NOTHING_SAID) -> AlertOut:
    """Say that somebody looks after it."""
    return await acting.done(Act.ACKNOWLEDGE, body)


@router.post(_ALERT + "/verify", responses=_ACT)
async def verify_alert(acting: ActingHere, body: Annotated[ActIn, Body()] = _NOTHING_SAID) -> AlertOut:
    """Say that a person looked, and that it is true."""
    return await acting.done(Act.VERIFY, body)


@router.post(_ALERT + "/reject", responses=_ACT)
async def reject_alert(acting: ActingHere, body: RejectIn) -> AlertOut:
    """Say that a person looked, and that it is no true alarm, with the reason. That ends it."""
    return await acting.done(Act.REJECT, body)


@router.post(_ALERT + "/dispatch", responses=_ACT)
async def dispatch_alert(acting: ActingHere, body: Annotated[DispatchIn, Body()] = _NOBODY_NAMED) -> AlertOut:
    """Send somebody: opens the alert's one task. What a camera saw must be verified first (APL Art. 41)."""
    work = WorkOrder(officer_id=body.officer, kind=body.kind, due=body.due_at)
    return await acting.done(Act.DISPATCH, body, work=work)


@router.post(_ALERT + "/close", responses=_ACT)
async def close_alert(acting: ActingHere, body: Annotated[ActIn, Body()] = _NOTHING_SAID) -> AlertOut:
    """End it. Not by the person who dispatched it; what a camera saw must be verified first, or rejected."""
    return await acting.done(Act.CLOSE, body)
