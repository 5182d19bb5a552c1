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
from hub.parts import Parts
from hub.telemetry import retention

FORGET_ANSWERED: Final = "http.forget"
PRUNE_STREAM: Final = "stream.prune"
RETAIN_TELEMETRY: Final = "telemetry.retain"

PERIODICS: Final = (
    Periodic(FORGET_ANSWERED, timedelta(hours=1)),
    Periodic(PRUNE_STREAM, timedelta(hours=1)),
    Periodic(PRUNE_JOBS, timedelta(hours=1)),
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

    async def retain_telemetry(_: Job) -> None:
        await retention.apply(parts.telemetry, policy, parts.clock)

    return {
        FORGET_ANSWERED: forget_answered,
        PRUNE_STREAM: prune_stream,
        PRUNE_JOBS: prune_jobs(parts.database, parts.clock),
        RETAIN_TELEMETRY: retain_telemetry,
    }
