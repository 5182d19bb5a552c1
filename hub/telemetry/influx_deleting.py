"""Deleting what is too old from InfluxDB: by series, because each has its own class."""

# ruff: noqa: S608 - placeholders differ between the versions of InfluxQL; `literal` escapes what comes from outside

from datetime import datetime

from hub.telemetry.contract import Retention
from hub.telemetry.influx_lines import OTHER_IDS_END_NS
from hub.telemetry.influx_reading import nanoseconds, series, where_is
from hub.telemetry.influx_server import InfluxServer
from hub.telemetry.retention import kept_for


def delete_old(server: InfluxServer, retention: Retention, now: datetime) -> int:
    """Delete what the classes do not keep; return how many points went.

    Ids that carry no time are kept: they are few, and nothing says how old they are.
    """
    kept = ((key, kept_for(retention, key)) for key, _ in series(server))
    old = [
        f'"reading"{where_is(**key._asdict())} AND time < {nanoseconds(now - keep)}'
        for key, keep in kept
        if keep is not None
    ]
    old.append(f'"position" WHERE time < {nanoseconds(now - retention.positions)}')
    counts = [
        sum(row["count"] for row in rows)
        for rows in server.query(*(f'SELECT count("received") AS "count" FROM {some}' for some in old))
    ]
    forgotten = nanoseconds(now - retention.batches)
    server.query(
        *(f"DELETE FROM {some}" for some, count in zip(old, counts, strict=True) if count),
        f'DELETE FROM "batch" WHERE time >= {OTHER_IDS_END_NS} AND time < {forgotten}',
    )
    return int(sum(counts))
