"""Times that cannot be right: kept as they came, beside the hub's own, and marked so that nothing trusts them."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from protocol.messages import Batch, Position, Reading

EARLIEST: Final = datetime(1990, 1, 1, tzinfo=UTC)
AHEAD: Final = timedelta(days=1)
FROM_THE_FUTURE: Final = "hub_from_the_future"
BEFORE_1990: Final = "hub_before_1990"
_MAX_FLAGS: Final = 16


def doubt(at: datetime, received_at: datetime) -> str | None:
    """Return what is wrong with a record's time: more than a day ahead of the hub, or before 1990; else None."""
    if at > received_at + AHEAD:
        return FROM_THE_FUTURE
    return BEFORE_1990 if at < EARLIEST else None


def plausible(batch: Batch, received_at: datetime) -> bool:
    """Tell whether nothing is wrong with the time of any record."""
    times = [record.at for record in batch.records]
    return min(times) >= EARLIEST and max(times) <= received_at + AHEAD


def doubted(
    batch: Batch, extras: dict[int, dict[str, Any]], received_at: datetime
) -> tuple[Batch, dict[int, dict[str, Any]]]:
    """Mark the records whose time cannot be right: a position in its `flags`, an event or receipt beside it.

    A reading is not marked; both times stand beside it.
    """
    records = list(batch.records)
    extras = dict(extras)
    for index, record in enumerate(records):
        flag = doubt(record.at, received_at)
        if flag is None or isinstance(record, Reading):
            continue
        if isinstance(record, Position):
            records[index] = msgspec.structs.replace(record, flags=(*record.flags[: _MAX_FLAGS - 1], flag))
        else:
            extras[index] = {**extras.get(index, {}), "flags": [flag]}
    return msgspec.structs.replace(batch, records=tuple(records)), extras
