"""All SQL of alerts."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Select, func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.alerts.model import AlertAct, AlertAnomaly, AlertRow
from hub.alerts.standing import Standing
from hub.anomalies.model import Anomaly
from hub.grids.model import Grid
from hub.notifications.contract import AlertNotice
from hub.organisation.model import Officer
from hub.storage.portions import portions
from hub.storage.upsert import insert_new
from hub.subjects.model import Subject
from hub.tasks.model import Task
from protocol.errors import RefusedRequestError


async def find(session: AsyncSession, alert_id: UUID, *, held: bool = False) -> AlertRow:
    """Return an alert, `held` against others until the transaction ends. Raises RefusedRequestError (404)."""
    wanted = select(AlertRow).where(AlertRow.id == alert_id)
    row = await session.scalar(wanted.with_for_update() if held else wanted)
    if row is None:
        raise RefusedRequestError("alerts.unknown", f"no alert {alert_id}", status=404)
    return row


class Concerned(NamedTuple):
    """The alerts that some anomalies concern: those that count them, by their ids, and the open ones, by key."""

    counting: dict[UUID, list[AlertRow]]
    open: dict[str, AlertRow]


async def concerned(session: AsyncSession, anomalies: Sequence[Anomaly]) -> Concerned:
    """Return the alerts that anomalies concern, held until the transaction ends: in one order, whoever asks."""
    found = Concerned({}, {})
    for some in portions(sorted(anomalies, key=attrgetter("key"))):
        counts = select(AlertAnomaly).where(AlertAnomaly.anomaly_id.in_([anomaly.id for anomaly in some]))
        counted = list(await session.scalars(counts.order_by(AlertAnomaly.alert_id)))
        named = AlertRow.id.in_({each.alert_id for each in counted})
        opened = AlertRow.key.in_({anomaly.key for anomaly in some}) & AlertRow.closed_at.is_(None)
        held = select(AlertRow).where(named | opened).order_by(AlertRow.key, AlertRow.id).with_for_update()
        alerts = {alert.id: alert for alert in await session.scalars(held)}
        found.open.update({alert.key: alert for alert in alerts.values() if alert.closed_at is None})
        for each in counted:
            found.counting.setdefault(each.anomaly_id, []).append(alerts[each.alert_id])
    return found


async def raise_new(session: AsyncSession, rows: Sequence[dict[str, Any]]) -> dict[str, AlertRow]:
    """Insert alerts, in the order of their keys, where none is open; return the open ones of these keys, held."""
    in_order = sorted(rows, key=itemgetter("key"))
    await insert_new(session, AlertRow, in_order)
    found: dict[str, AlertRow] = {}
    for some in portions([row["key"] for row in in_order]):
        opened = select(AlertRow).where(AlertRow.key.in_(some), AlertRow.closed_at.is_(None))
        rows_held = await session.scalars(opened.order_by(AlertRow.key).with_for_update())
        found |= {alert.key: alert for alert in rows_held}
    return found


async def count(session: AsyncSession, counted: Sequence[tuple[AlertRow, Anomaly]]) -> None:
    """Let alerts count anomalies that none has counted."""
    rows = [{"alert_id": alert.id, "anomaly_id": anomaly.id} for alert, anomaly in counted]
    if rows:
        await (await session.connection()).execute(insert(AlertAnomaly), rows)


async def add_acts(session: AsyncSession, rows: Sequence[dict[str, Any]]) -> None:
    """Write down acts upon alerts, in their order."""
    if rows:
        await (await session.connection()).execute(insert(AlertAct), list(rows))


async def anomalies(session: AsyncSession, alert_id: UUID) -> list[Anomaly]:
    """Return the anomalies that an alert has counted, oldest first, withdrawn ones among them."""
    wanted = select(Anomaly).join(AlertAnomaly, AlertAnomaly.anomaly_id == Anomaly.id)
    return list(
        await session.scalars(wanted.where(AlertAnomaly.alert_id == alert_id).order_by(Anomaly.began_at, Anomaly.id))
    )


async def standings(session: AsyncSession, alert_ids: Collection[UUID]) -> dict[UUID, Standing]:
    """Return what the anomalies of each alert come to, counted anew."""
    await session.flush()
    found = {alert_id: Standing(0, None, None, over=True) for alert_id in alert_ids}
    for some in portions(sorted(alert_ids)):
        counts = (
            select(
                AlertAnomaly.alert_id,
                func.count(),
                func.min(Anomaly.began_at),
                func.max(func.coalesce(Anomaly.ended_at, Anomaly.began_at)),
                func.count(Anomaly.ended_at),
            )
            .join(Anomaly, Anomaly.id == AlertAnomaly.anomaly_id)
            .where(AlertAnomaly.alert_id.in_(some), Anomaly.withdrawn_at.is_(None))
            .group_by(AlertAnomaly.alert_id)
        )
        for alert_id, number, began_at, last_seen_at, ended in await session.execute(counts):
            found[alert_id] = Standing(number, began_at, last_seen_at, over=ended == number)
    return found


async def acts(session: AsyncSession, alert_id: UUID) -> list[AlertAct]:
    """Return what was done about an alert, oldest first."""
    return list(await session.scalars(select(AlertAct).where(AlertAct.alert_id == alert_id).order_by(AlertAct.number)))


async def with_names(session: AsyncSession, notices: Sequence[AlertNotice]) -> list[AlertNotice]:
    """Return notices with the names of the subjects, grids and officers that they concern."""
    subjects = await _names(session, Subject, {notice.subject_id for notice in notices})
    grids = await _names(session, Grid, {notice.grid_id for notice in notices})
    officers = await _names(session, Officer, {notice.officer_id for notice in notices})
    return [
        replace(
            notice,
            subject_name=subjects.get(notice.subject_id),
            grid_name=grids.get(notice.grid_id),
            officer_name=officers.get(notice.officer_id),
        )
        for notice in notices
    ]


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


async def _names(
    session: AsyncSession, table: type[Subject | Grid | Officer], ids: Collection[UUID | str | None]
) -> dict[UUID | str | None, str]:
    found: dict[UUID | str | None, str] = {}
    for some in portions([each for each in ids if each is not None]):
        rows = await session.execute(select(table.id, table.name).where(table.id.in_(some)))
        found |= {row.id: row.name for row in rows}
    return found
