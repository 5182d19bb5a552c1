"""What the job worker does for footage: pairs it, and deletes what is over."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from uuid import UUID

from hub.footage import deleting, pairing
from hub.jobs.model import Job
from hub.jobs.periodic import Periodic
from hub.jobs.worker import Handler
from hub.parts import Parts

RETAIN: Final = "footage.retain"
PERIODICS: Final = (Periodic(RETAIN, timedelta(hours=1)),)


def handlers(parts: Parts) -> Mapping[str, Handler]:
    """Return what to do for each kind of job."""

    async def pair(job: Job) -> None:
        await pairing.pair(parts.database, parts.telemetry, parts.clock, UUID(job.payload["footage"]))

    async def retain(_: Job) -> None:
        settings = parts.config.footage
        await deleting.delete_overdue(parts.database, parts.footage, parts.clock, parts.custody, settings)

    return {pairing.PAIR: pair, RETAIN: retain}
