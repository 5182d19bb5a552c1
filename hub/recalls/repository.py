"""All SQL of recalls and scans."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.anomalies.model import Anomaly
from hub.recalls.matching import item_of
from hub.recalls.model import Recall, RecallHit, Scan
from hub.storage.portions import portions
from hub.storage.upsert import insert_new, inserted
from protocol.errors import RefusedRequestError


async def find(session: AsyncSession, recall_id: UUID) -> Recall:
    """Return a recall. Raises RefusedRequestError (404)."""
    row = await session.get(Recall, recall_id)
    if row is None:
        raise RefusedRequestError("recalls.unknown", f"no recall {recall_id}", status=404)
    return row


async def add_new(session: AsyncSession, rows: Sequence[dict[str, Any]]) -> set[UUID]:
    """Add recalls, save those that are there already; return the ids of the new ones."""
    new: set[UUID] = set()
    for some in portions(rows):
        found: Iterable[Any] = await inserted(session, Recall, list(some))
        new.update(row.id for row in found)
    return new


async def standing_of(session: AsyncSession, items: Collection[str]) -> list[Recall]:
    """Return the recalls of these items that were not withdrawn, oldest first."""
    found: list[Recall] = []
    for some in portions(sorted(items)):
        wanted = select(Recall).where(Recall.item.in_(some), Recall.withdrawn_at.is_(None))
        found += await session.scalars(wanted.order_by(Recall.created_at, Recall.id))
    return found


async def add_scans(session: AsyncSession, rows: Sequence[dict[str, Any]]) -> None:
    """Add scans; one that is there already is left."""
    await insert_new(session, Scan, list(rows))


async def scans_of(session: AsyncSession, item: str, after: UUID | None, limit: int) -> list[Scan]:
    """Return scans of an item in the order of their ids, those after one."""
    wanted = select(Scan).where(Scan.item == item)
    if after is not None:
        wanted = wanted.where(Scan.id > after)
    return list(await session.scalars(wanted.order_by(Scan.id).limit(limit)))


async def add_hits(session: AsyncSession, hits: Iterable[tuple[UUID, UUID]]) -> None:
    """Note which anomalies each recall caused: (recall, anomaly)."""
    rows = [{"recall_id": recall_id, "anomaly_id": anomaly_id} for recall_id, anomaly_id in sorted(set(hits))]
    await insert_new(session, RecallHit, rows)


async def standing_hits(session: AsyncSession, recall_id: UUID, limit: int) -> list[Anomaly]:
    """Return anomalies that a recall caused and that stand, held until the transaction ends."""
    wanted = (
        select(Anomaly)
        .join(RecallHit, RecallHit.anomaly_id == Anomaly.id)
        .where(RecallHit.recall_id == recall_id, Anomaly.withdrawn_at.is_(None))
    )
    return list(await session.scalars(wanted.order_by(Anomaly.id).limit(limit).with_for_update(of=Anomaly)))


async def counted(session: AsyncSession, recalls: Collection[UUID]) -> dict[UUID, int]:
    """Return how many scans each of these recalls was found in, of those that stand."""
    wanted = (
        select(RecallHit.recall_id, func.count())
        .join(Anomaly, RecallHit.anomaly_id == Anomaly.id)
        .where(RecallHit.recall_id.in_(recalls), Anomaly.withdrawn_at.is_(None))
        .group_by(RecallHit.recall_id)
    )
    return {row[0]: row[1] for row in await session.execute(wanted)}


def listed(*, gtin: str | None, text: str | None, withdrawn: bool) -> Select[Recall]:
    """Recalls that fit every filter given; withdrawn ones only when they are wanted as well."""
    wanted = select(Recall)
    if gtin is not None:
        wanted = wanted.where(Recall.item == item_of(gtin))
    if text is not None:
        wanted = wanted.where(
            Recall.product.icontains(text, autoescape=True) | Recall.document.icontains(text, autoescape=True)
        )
    return wanted if withdrawn else wanted.where(Recall.withdrawn_at.is_(None))


def scans_listed(
    *,
    gtin: str | None,
    batch: str | None,
    subject: UUID | None,
    gateway: str | None,
    device: str | None,
    since: datetime | None,
    until: datetime | None,
) -> Select[Scan]:
    """Scans that fit every filter given."""
    equal = {
        Scan.item: item_of(gtin) if gtin is not None else None,
        Scan.batch: batch,
        Scan.subject_id: subject,
        Scan.gateway: gateway,
        Scan.device: device,
    }
    wanted = select(Scan).where(*(column == value for column, value in equal.items() if value is not None))
    if since is not None:
        wanted = wanted.where(Scan.at >= since)
    return wanted if until is None else wanted.where(Scan.at < until)
