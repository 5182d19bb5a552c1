"""From scans and recalls to anomalies: one for each scan of a recalled batch, one alert for each subject and batch."""

from collections.abc import Iterable, Sequence
from typing import Final
from uuid import uuid5

from sqlalchemy.ext.asyncio import AsyncSession

from hub.anomalies.finding import Finding, microseconds
from hub.anomalies.recording import Found, Recording
from hub.anomalies.settings import PRODUCT_RECALL_POSSIBLE, PRODUCT_RECALLED
from hub.recalls import repository
from hub.recalls.matching import Extent, Match, Product
from hub.recalls.model import Recall, Scan
from protocol.messages import Severity

SEVERITY_OF_LEVEL: Final = {1: Severity.CRITICAL, 2: Severity.MAJOR, 3: Severity.MINOR}
"""Levels of 食品召回管理办法 Art. 13: first (harm to health, act within 24 hours), second (48), third (72)."""


async def record(session: AsyncSession, recording: Recording, scans: Sequence[Scan], recalls: Sequence[Recall]) -> None:
    """Write down which of these scans are of what these recalls cover. Again changes nothing. The caller commits."""
    hits = list(_hits(scans, recalls))
    await recording.record(session, [found for _, found in hits])
    await session.flush()
    await repository.add_hits(session, [(recall.id, found.id) for recall, found in hits])


def extent_of(recall: Recall) -> Extent:
    """Return what a recall covers."""
    return Extent(
        gtin=recall.gtin,
        batch=recall.batch,
        batch_from=recall.batch_from,
        batch_to=recall.batch_to,
        produced_from=recall.produced_from,
        produced_to=recall.produced_to,
    )


def _hits(scans: Sequence[Scan], recalls: Sequence[Recall]) -> Iterable[tuple[Recall, Found]]:
    extents = [(recall, extent_of(recall)) for recall in recalls]
    for scan in scans:
        product = Product(gtin=scan.gtin, batch=scan.batch, produced=scan.produced)
        for recall, extent in extents:
            match = extent.matches(product)
            if match is not Match.NONE:
                yield recall, _found(scan, recall, certain=match is Match.CERTAIN)


def _found(scan: Scan, recall: Recall, *, certain: bool) -> Found:
    at_us = microseconds(scan.at)
    owner = str(scan.subject_id) if scan.subject_id else f"{scan.gateway}/{scan.device}"
    finding = Finding(
        type=PRODUCT_RECALLED if certain else PRODUCT_RECALL_POSSIBLE,
        severity=SEVERITY_OF_LEVEL[recall.level] if certain else Severity.INFO,
        began_us=at_us,
        decided_us=at_us,
        summary=" ".join(part for part in (recall.product or scan.gtin, scan.batch) if part),
        data={
            "recall": str(recall.id),
            "event": str(scan.event),
            "gtin": scan.gtin,
            "batch": scan.batch,
            "expiry": scan.expiry.isoformat() if scan.expiry else None,
            "flaws": scan.flaws,
            "level": recall.level,
            "reason": recall.reason,
            "article": recall.article,
            "document": recall.document,
        },
    )
    # Goods stay where they were scanned until somebody has looked: the condition lasts, nothing ends it by itself.
    return Found(
        scan.gateway,
        scan.device,
        finding,
        event=uuid5(scan.id, str(recall.id)),
        condition=f"{owner}/{scan.gtin}/{scan.batch or ''}",
    )
