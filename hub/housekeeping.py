"""The jobs that keep the stores from growing for ever."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from hub.accounts import repository as accounts
from hub.api import repository as creations
from hub.api.idempotency import KEPT_FOR as CREATIONS_KEPT_FOR
from hub.jobs.model import Job
from hub.jobs.periodic import PRUNE_JOBS, Periodic, prune_jobs
from hub.jobs.worker import Handler
from hub.media import pruning
from hub.parts import Parts
from hub.telemetry import retention

FORGET_ANSWERED: Final = "http.forget"
PRUNE_STREAM: Final = "stream.prune"
PRUNE_MEDIA: Final = "media.prune"
RETAIN_TELEMETRY: Final = "telemetry.retain"

PERIODICS: Final = (
    Periodic(FORGET_ANSWERED, timedelta(hours=1)),
    Periodic(PRUNE_STREAM, timedelta(hours=1)),
    Periodic(PRUNE_JOBS, timedelta(hours=1)),
    Periodic(PRUNE_MEDIA, timedelta(days=1)),
    Periodic(RETAIN_TELEMETRY, timedelta(hours=1)),
)


def handlers(parts: Parts) -> Mapping[str, Handler]:
    """Return what to do for each of PERIODICS."""
    policy = retention.retention_of(parts.config.retention)

    async def forget_answered(_: Job) -> None:
        now = parts.clock.now()
        async with parts.database.write() as session:
            await creations.forget(session, now - CREATIONS_KEPT_FOR)
            await accounts.forget_expired_sessions(session, now)

    async def prune_stream(_: Job) -> None:
        await parts.stream.prune()

    async def prune_media(_: Job) -> None:
        kept_for = timedelta(days=parts.config.retention.media_days)
        await pruning.prune(parts.database, parts.media, parts.clock.now() - kept_for)

    async def retain_telemetry(_: Job) -> None:
        await retention.apply(parts.telemetry, policy, parts.clock)

    return {
        FORGET_ANSWERED: forget_answered,
        PRUNE_STREAM: prune_stream,
        PRUNE_JOBS: prune_jobs(parts.database, parts.clock),
        PRUNE_MEDIA: prune_media,
        RETAIN_TELEMETRY: retain_telemetry,
    }
