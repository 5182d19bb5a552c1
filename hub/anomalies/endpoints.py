"""Anomalies over HTTP: read only, newest first."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from hub.accounts.keyring import Caller
from hub.accounts.scopes import Scope
from hub.anomalies import repository
from hub.anomalies.model import Anomaly
from hub.anomalies.schemas import AnomalyOut
from hub.api.access import caller_with
from hub.api.paging import Page, PagingHere
from hub.api.times import Instant
from hub.api.values import Level, Line
from hub.grids.schemas import GridId
from hub.parts import PartsHere
from protocol.messages import Severity

router = APIRouter(tags=["anomalies"])


@router.get("/anomalies")
async def list_anomalies(
    *,
    parts: PartsHere,
    _: Annotated[Caller, caller_with(Scope.ALERTS_READ)],
    paging: PagingHere,
    kind: Annotated[Line | None, Query(alias="type")] = None,
    severity: Annotated[Severity | None, Query()] = None,
    gateway: Annotated[Level | None, Query()] = None,
    device: Annotated[Level | None, Query()] = None,
    subject: Annotated[UUID | None, Query()] = None,
    grid: Annotated[GridId | None, Query()] = None,
    since: Annotated[Instant | None, Query(alias="from", description="Began then or later")] = None,
    until: Annotated[Instant | None, Query(alias="to", description="Began earlier")] = None,
    withdrawn: Annotated[bool, Query(description="Also those that late data disproved")] = False,
) -> Page[AnomalyOut]:
    """What the hub found wrong, newest first."""
    wanted = repository.listed(
        kind=kind,
        severity=severity.value if severity else None,
        gateway=gateway,
        device=device,
        subject=subject,
        grid=grid,
        since=since,
        until=until,
        withdrawn=withdrawn,
    )
    async with parts.database.read() as session:
        return await paging.page(session, wanted, (Anomaly.began_at.desc(), Anomaly.id.desc()), AnomalyOut.of)
