"""All SQL of alerts."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.alerts.model import AlertAct, AlertAnomaly, AlertRow
from hub.anomalies.model import Anomaly
from hub.storage.upsert import insert_new
from hub.tasks.model import Task
from protocol.errors import RefusedRequestError


class Standing(NamedTuple):
    """How many anomalies of an alert stand, when the first began, when the last was seen, and whether all are over."""

    number: int
    began_at: datetime | None
    last_seen_at: datetime | None
    over: bool


async def find(session: AsyncSession, alert_id: UUID, *, held: bool = False) -> AlertRow:
    """Return an alert, `held` against others until the transaction ends. Raises RefusedRequestError (404)."""
    wanted = select(AlertRow).where(AlertRow.id == alert_id)
    row = await session.scalar(wanted.with_for_update() if held else wanted)
    if row is None:
        raise RefusedRequestError("alerts.unknown", f"no alert {alert_id}", status=404)
    return row


async def open_with_key(session: AsyncSession, key: str) -> AlertRow | None:
    """Return the one open alert of a condition, held until the transaction ends."""
    wanted = select(AlertRow).where(AlertRow.key == key, AlertRow.closed_at.is_(None))
    return await session.scalar(wanted.with_for_update())


async def counting(session: AsyncSession, anomaly_id: UUID) -> list[AlertRow]:
    """Return the alerts that have counted an anomaly, held until the transaction ends."""
    wanted = select(AlertRow).join(AlertAnomaly, AlertAnomaly.alert_id == AlertRow.id)
    found = await session.scalars(
        wanted.where(AlertAnomaly.anomaly_id == anomaly_id).order_by(AlertRow.id).with_for_update(of=AlertRow)
    )
    return list(found)


async def raise_new(session: AsyncSession, values: dict[str, Any]) -> bool:
    """Insert an alert unless one with its key is open; tell whether it is new."""
    return await insert_new(session, AlertRow, [values]) == 1


async def count(session: AsyncSession, alert_id: UUID, anomaly_id: UUID) -> bool:
    """Let an alert count an anomaly; tell whether it had not yet."""
    return await insert_new(session, AlertAnomaly, [{"alert_id": alert_id, "anomaly_id": anomaly_id}]) == 1


async def anomalies(session: AsyncSession, alert_id: UUID) -> list[Anomaly]:
    """Return the anomalies that an alert has counted, oldest first, withdrawn ones among them."""
    wanted = select(Anomaly).join(AlertAnomaly, AlertAnomaly.anomaly_id == Anomaly.id)
    return list(
        await session.scalars(wanted.where(AlertAnomaly.alert_id == alert_id).order_by(Anomaly.began_at, Anomaly.id))
    )


async def standing(session: AsyncSession, alert_id: UUID) -> Standing:
    """Return what the anomalies that an alert has counted, and that were not withdrawn, come to."""
    await session.flush()
    row = (
        await session.execute(
            select(
                func.count(),
                func.min(Anomaly.began_at),
                func.max(func.coalesce(Anomaly.ended_at, Anomaly.began_at)),
                func.count(Anomaly.ended_at),
            )
            .join(AlertAnomaly, AlertAnomaly.anomaly_id == Anomaly.id)
            .where(AlertAnomaly.alert_id == alert_id, Anomaly.withdrawn_at.is_(None))
        )
    ).one()
    return Standing(row[0], row[1], row[2], row[3] == row[0])


async def acts(session: AsyncSession, alert_id: UUID) -> list[AlertAct]:
    """Return what was done about an alert, oldest first."""
    return list(await session.scalars(select(AlertAct).where(AlertAct.alert_id == alert_id).order_by(AlertAct.number)))


async def tasks(session: AsyncSession, alert_ids: Collection[UUID]) -> dict[UUID, list[UUID]]:
    """Return the ids of the tasks that came of each alert."""
    found: dict[UUID, list[UUID]] = {}
    rows = await session.execute(select(Task.alert_id, Task.id).where(Task.alert_id.in_(alert_ids)).order_by(Task.id))
    for alert_id, task_id in rows:
        assert alert_id is not None  # noqa: S101 - it is one of those asked for
        found.setdefault(alert_id, []).append(task_id)
    return found


async def open_by_severity(session: AsyncSession) -> dict[str, int]:
    """Return how many alerts are open, by severity."""
    wanted = select(AlertRow.severity, func.count()).where(AlertRow.closed_at.is_(None)).group_by(AlertRow.severity)
    return {row[0]: row[1] for row in await session.execute(wanted)}


def listed(
    *,
    states: Sequence[str] | None,
    severity: str | None,
    grid: str | None,
    subject: UUID | None,
    kind: str | None,
) -> Select[AlertRow]:
    """Alerts that fit every filter given."""
    wanted = select(AlertRow)
    if states:
        wanted = wanted.where(AlertRow.state.in_(states))
    if severity is not None:
        wanted = wanted.where(AlertRow.severity == severity)
    if grid is not None:
        wanted = wanted.where(AlertRow.grid_id == grid)
    if subject is not None:
        wanted = wanted.where(AlertRow.subject_id == subject)
    if kind is not None:
        wanted = wanted.where(AlertRow.type == kind)
    return wanted
