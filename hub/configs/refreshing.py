"""Keeping signed metadata fresh: boxes refuse what was signed too long ago."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from hub.configs.publishing import signing_keys
from hub.configs.signing import Signing
from hub.jobs.model import Job
from hub.jobs.periodic import Periodic
from hub.jobs.worker import Handler
from hub.parts import Parts
from protocol import logs

REFRESH: Final = "configs.refresh"
PERIODICS: Final = (Periodic(REFRESH, timedelta(hours=1)),)

log = logs.get(__name__)


def handlers(parts: Parts) -> Mapping[str, Handler]:
    """Return what to do for each of PERIODICS."""

    async def refresh(_: Job) -> None:
        async with parts.database.write() as session:
            left = await (await Signing.begun(session, signing_keys(parts), parts.clock)).refresh()
        for role, time_left in left.items():
            log.warning(
                "signed_metadata_ends", role=role, days_left=time_left.days, reason="its key is not on this hub"
            )

    return {REFRESH: refresh}
