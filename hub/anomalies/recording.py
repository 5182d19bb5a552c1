"""Writing anomalies down: found, found again, ended, withdrawn. Each is one row, whatever the order of its messages."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from hub.anomalies import repository
from hub.anomalies.camera_events import merged
from hub.anomalies.finding import Finding, identity, instant, microseconds
from hub.anomalies.linking import Links, Place, linked
from hub.anomalies.model import Anomaly
from hub.anomalies.raising import LATE_DATA, Raising
from hub.anomalies.settings import PRODUCT_RECALL_POSSIBLE, PRODUCT_RECALLED, TYPES
from hub.grids.live import LiveGrids
from hub.metrics import ANOMALIES
from hub.stream.stream import Stream
from hub.subjects import archive
from hub.words.catalogue import described
from protocol.clock import Clock
from protocol.messages import Severity

_CAMERA: Final = ("offline", "stalled", "frozen", "dark", "covered", "blurred", "moved")
_COUNTED: Final = frozenset(
    {*TYPES, PRODUCT_RECALLED, PRODUCT_RECALL_POSSIBLE, *(f"camera.{what}" for what in _CAMERA)}
)
"""Types that are labels of the metric; what a device makes up counts as `other`."""


@dataclass(frozen=True, slots=True)
class Found:
    """A finding of one device (none: of the gateway), or, with `event`, what one message of a happening shows.

    `images` maps the SHA-256 of each picture to when its message was said. `condition` names what alerts are raised
    for, where that is not the device: the same batch of goods, scanned by any scanner of a shop.
    """

    gateway: str
    device: str
    finding: Finding
    event: UUID | None = None
    images: Mapping[str, str] = field(default_factory=dict)
    condition: str = ""

    @property
    def id(self) -> UUID:
        """The id of the anomaly."""
        return identity(self.finding.type, self.gateway, self.device, self.event or self.finding.began_us)

    @property
    def place(self) -> Place:
        """Where and when it began."""
        return Place(self.gateway, self.device, instant(self.finding.began_us))


class Recording:
    """Keeps anomalies, and lets archives, alerts and the stream follow. The caller commits."""

    def __init__(self, clock: Clock, stream: Stream, grids: LiveGrids, raising: Raising) -> None:
        self._clock = clock
        self._stream = stream
        self._grids = grids
        self._raising = raising

    async def record(self, session: AsyncSession, founds: Iterable[Found]) -> None:
        """Write findings down, in their order; one that says nothing new changes nothing."""
        ordered = [(found.id, found) for found in founds]
        if not ordered:
            return
        known = await repository.by_id(session, {anomaly_id for anomaly_id, _ in ordered})
        places = [found.place for anomaly_id, found in ordered if anomaly_id not in known]
        links = await linked(session, self._grids, places)
        fresh: dict[UUID, Anomaly] = {}
        changed: dict[UUID, Anomaly] = {}
        for anomaly_id, found in ordered:
            row = known.get(anomaly_id)
            if row is None:
                row = self._new(anomaly_id, found, links[found.place])
                known[anomaly_id] = fresh[anomaly_id] = row
            elif not _update(row, found):
                continue
            changed[anomaly_id] = row
        session.add_all(fresh[anomaly_id] for anomaly_id in sorted(fresh))
        rows = sorted(changed.values(), key=lambda row: (row.key, row.began_at, row.id))
        for row in fresh.values():
            ANOMALIES.labels(row.type if row.type in _COUNTED else "other").inc()
        archived = [_entry(row, "anomaly.found", "发现异常") for row in rows if row.id in fresh]
        await self._follow(session, rows, archived)

    async def end(self, session: AsyncSession, row: Anomaly, at: datetime) -> None:
        """End an anomaly that lasts."""
        row.ended_at = at
        await self._follow(session, [row])

    async def withdraw(self, session: AsyncSession, rows: Sequence[Anomaly], *, because: str = LATE_DATA) -> None:
        """Take anomalies back that never were: late data has shown it, or what they rested on was withdrawn."""
        for row in rows:
            row.withdrawn_at = self._clock.now()
        archived = [_entry(row, "anomaly.withdrawn", "异常已撤回") for row in rows]
        await self._follow(session, rows, archived, because=because)

    def _new(self, anomaly_id: UUID, found: Found, links: Links) -> Anomaly:
        finding = found.finding
        return Anomaly(
            id=anomaly_id,
            key=f"{finding.type}:{found.condition or f'{found.gateway}/{found.device}'}",
            type=finding.type,
            severity=finding.severity.value,
            gateway=found.gateway,
            device=found.device,
            subject_id=links.subject_id,
            grid_id=links.grid_id,
            officer_id=links.officer_id,
            began_at=instant(finding.began_us),
            ended_at=None if finding.ended_us is None else instant(finding.ended_us),
            decided_at=instant(finding.decided_us),
            detected_at=self._clock.now(),
            withdrawn_at=None,
            summary=finding.summary[:1000],
            data=finding.data,
            images=dict(found.images),
        )

    async def _follow(
        self,
        session: AsyncSession,
        rows: Sequence[Anomaly],
        archived: Iterable[archive.Entry | None] = (),
        *,
        because: str = LATE_DATA,
    ) -> None:
        """Let everything follow anomalies that are new or changed, in their order."""
        if not rows:
            return
        await session.flush()
        entries = [entry for entry in archived if entry is not None]
        await archive.append_all(session, self._clock, entries)
        await self._stream.append_all(session, [("anomaly", _facts(row)) for row in rows])
        await self._raising.follow(session, rows, because=because)


def _entry(row: Anomaly, kind: str, words: str) -> archive.Entry | None:
    """Return the line in the archive of an anomaly's subject, if it has one."""
    if row.subject_id is None:
        return None
    return archive.Entry(
        subject_id=row.subject_id,
        at=row.began_at,
        kind=kind,
        summary=f"{words}: {described(row.type, row.summary)}",
        ref=str(row.id),
        data={"type": row.type, "severity": row.severity, "gateway": row.gateway, "device": row.device},
    )


def _facts(row: Anomaly) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "id": str(row.id),
        "type": row.type,
        "severity": row.severity,
        "gateway": row.gateway,
        "device": row.device,
        "subject": str(row.subject_id) if row.subject_id else None,
        "grid": row.grid_id,
        "officer": str(row.officer_id) if row.officer_id else None,
        "at": row.began_at.isoformat(),
        "ended_at": row.ended_at.isoformat() if row.ended_at else None,
        "withdrawn": row.withdrawn_at is not None,
        "summary": described(row.type, row.summary, "en"),
    }
    return facts | {name: row.data[name] for name in ("latitude", "longitude") if name in row.data}


def _update(row: Anomaly, found: Found) -> bool:
    """Let a row say what was found now; tell whether that is news."""
    before = (row.severity, row.began_at, row.ended_at, row.summary, row.data, row.images, row.withdrawn_at)
    finding = merged(_finding_of(row), found.finding) if found.event is not None else found.finding
    row.severity = finding.severity.value
    row.began_at = instant(finding.began_us)
    row.ended_at = None if finding.ended_us is None else instant(finding.ended_us)
    row.summary = finding.summary[:1000]
    row.data = finding.data if found.event is not None else row.data | finding.data
    row.images = row.images | {image: min(at, row.images.get(image, at)) for image, at in found.images.items()}
    row.withdrawn_at = None
    after = (row.severity, row.began_at, row.ended_at, row.summary, row.data, row.images, row.withdrawn_at)
    return before != after


def _finding_of(row: Anomaly) -> Finding:
    return Finding(
        type=row.type,
        severity=Severity(row.severity),
        began_us=microseconds(row.began_at),
        decided_us=microseconds(row.decided_at),
        ended_us=None if row.ended_at is None else microseconds(row.ended_at),
        summary=row.summary,
        data=row.data,
    )
