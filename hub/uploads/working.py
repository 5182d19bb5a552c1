"""What the job worker does for uploads: looks after those that nobody asks about."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from hub.jobs.model import Job
from hub.jobs.periodic import Periodic
from hub.jobs.worker import Handler
from hub.parts import Parts

SWEEP: Final = "uploads.sweep"
PERIODICS: Final = (Periodic(SWEEP, timedelta(minutes=1)),)


def handlers(parts: Parts) -> Mapping[str, Handler]:
    """Return what to do for each of PERIODICS."""

    async def sweep(_: Job) -> None:
        await parts.uploads.sweep(timedelta(days=parts.config.uploads.expire_days))

    return {SWEEP: sweep}
