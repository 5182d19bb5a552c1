"""How long telemetry is kept: which class rules a series, and the periodic act of deleting what is too old."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from hub.config import RetentionSection
from hub.telemetry.catalogue import Series
from hub.telemetry.contract import Retention, SeriesClass, SeriesKey, TelemetryStore
from protocol import logs
from protocol.clock import Clock

log = logs.get(__name__)


def retention_of(section: RetentionSection) -> Retention:
    """Return the policy that the settings state."""
    return Retention(
        readings=tuple(SeriesClass(kept.device, kept.name, kept.keep) for kept in section.readings),
        positions=timedelta(days=section.positions_days),
        batches=timedelta(days=section.batches_days),
    )


async def apply(store: TelemetryStore, retention: Retention, clock: Clock) -> int:
    """Delete what is too old by now; return how many rows went. Raises StoreUnavailableError; repeating is safe."""
    started = clock.monotonic()
    gone = await store.retain(retention, clock.now())
    log.info("telemetry_retained", rows_deleted=gone, took_s=round(clock.monotonic() - started, 3))
    return gone


def kept_for(retention: Retention, series: SeriesKey) -> timedelta | None:
    """Return how long the values of a series are kept, None for ever: the first class that matches rules."""
    for kept in retention.readings:
        if _matches(series.device, kept.device) and _matches(series.name, kept.name):
            return kept.keep
    return None


def deadlines(
    retention: Retention, catalogue: Iterable[tuple[SeriesKey, Series]], now: datetime
) -> list[tuple[SeriesKey, Series, datetime]]:
    """Return for each series that is not kept for ever the time before which its values go."""
    kept = ((key, series, kept_for(retention, key)) for key, series in catalogue)
    return [(key, series, now - keep) for key, series, keep in kept if keep is not None]


def _matches(name: str, pattern: str) -> bool:
    """Only `*` and `?` are special: a bracket stands for itself."""
    return fnmatchcase(name, pattern.replace("[", "[[]"))
