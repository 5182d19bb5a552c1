"""A consumer of ingest: what scanners report becomes scans of products, lines in archives, and findings of recalls."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta
from sqlalchemy.ext.asyncio import AsyncSession

from hub.anomalies import repository as anomalies
from hub.anomalies.finding import identity
from hub.anomalies.recording import Recording
from hub.recalls import finding, repository
from hub.recalls.matching import GTIN_DIGITS, item_of
from hub.recalls.model import Scan
from hub.subjects import archive
from hub.telemetry.contract import Arrival
from protocol import logs
from protocol.clock import Clock
from protocol.codec import in_utc
from protocol.messages import Event

log = logs.get(__name__)

SCANNED: Final = "scanner.scan"
_Short = Annotated[str, Meta(max_length=64)]


class ScannedCode(msgspec.Struct, frozen=True, kw_only=True):
    """What the data of a scan's event say of a product. Everything else in them stays with the event."""

    gtin: Annotated[str, Meta(pattern=r"^[0-9]{8,14}(?!\n)$")] | None = None
    batch: _Short | None = None
    serial: _Short | None = None
    produced: str | None = None
    expiry: str | None = None
    flaws: Annotated[list[_Short], Meta(max_length=32)] = []


class RecallWatch:
    """Looks at each scan as it comes in."""

    def __init__(self, clock: Clock, recording: Recording) -> None:
        self._clock = clock
        self._recording = recording

    async def take(self, session: AsyncSession, arrivals: Sequence[Arrival]) -> None:
        """Keep the scans of these batches, and find what is recalled of them. The caller commits."""
        scans = list(_scans(arrivals))
        if not scans:
            return
        keys = {(scan.gateway, scan.device) for scan in scans}
        devices = await anomalies.devices(session, keys)
        for scan in scans:
            device = devices.get((scan.gateway, scan.device))
            scan.subject_id = device.subject_id if device else None
        await repository.add_scans(session, [_row(scan) for scan in scans])
        await archive.append_all(session, self._clock, [line for scan in scans if (line := _line(scan))])
        recalls = await repository.standing_of(session, {scan.item for scan in scans})
        if recalls:
            await finding.record(session, self._recording, scans, recalls)


def _scans(arrivals: Sequence[Arrival]) -> Iterable[Scan]:
    for arrival in arrivals:
        for record in arrival.batch.records:
            if type(record) is Event and record.type == SCANNED:
                scan = _scan(arrival.batch.gateway, record)
                if scan is not None:
                    yield scan


def _scan(gateway: str, event: Event) -> Scan | None:
    """Return what was scanned; None for what is no product, and for data that make no sense."""
    try:
        code = msgspec.convert(event.data, ScannedCode)
    except msgspec.ValidationError as error:
        # The event itself is kept as it came.
        log.warning("scan_not_understood", gateway=gateway, device=event.device, reason=str(error))
        return None
    if code.gtin is None:
        return None
    gtin = code.gtin.zfill(GTIN_DIGITS)
    return Scan(
        id=identity(SCANNED, gateway, event.device, event.id),
        event=event.id,
        gateway=gateway,
        device=event.device,
        subject_id=None,
        at=in_utc(event.at),
        gtin=gtin,
        item=item_of(gtin),
        batch=code.batch or None,
        serial=code.serial or None,
        produced=_date(code.produced),
        expiry=_date(code.expiry),
        flaws=list(code.flaws),
    )


def _date(written: str | None) -> date | None:
    try:
        return date.fromisoformat(written) if written else None
    except ValueError:
        return None


def _row(scan: Scan) -> dict[str, Any]:
    return {column.key: getattr(scan, column.key) for column in Scan.__table__.columns}


def _line(scan: Scan) -> archive.Entry | None:
    if scan.subject_id is None:
        return None
    what = f"扫码 {scan.gtin}" + (f" 批次 {scan.batch}" if scan.batch else "")
    return archive.Entry(
        subject_id=scan.subject_id,
        at=scan.at,
        kind="product.scanned",
        summary=what + (f" 到期 {scan.expiry.isoformat()}" if scan.expiry else ""),
        ref=str(scan.id),
        data={"gtin": scan.gtin, "batch": scan.batch, "serial": scan.serial, "gateway": scan.gateway},
    )
