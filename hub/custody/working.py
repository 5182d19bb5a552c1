"""What the job worker does for the custody log: seals it as it grows, and has the seals stamped."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from hub.custody import repository, stamping
from hub.custody.checkpointing import STAMP, checkpoint
from hub.custody.settings import CustodySection
from hub.jobs.model import Job
from hub.jobs.periodic import Periodic
from hub.jobs.worker import Handler
from hub.parts import Parts
from protocol import logs

log = logs.get(__name__)

CHECKPOINT: Final = "custody.checkpoint"


def handlers(parts: Parts) -> Mapping[str, Handler]:
    """Return what to do for each kind of job. Raises ConfigurationError for a file of roots that holds none."""
    settings = parts.config.custody
    roots = stamping.roots_in(settings.tsa_roots) if settings.tsa_roots is not None else ()

    async def seal(_: Job) -> None:
        async with parts.database.write() as session:
            await checkpoint(session, parts.clock, parts.custody)

    async def stamp(job: Job) -> None:
        if not settings.tsa_url:
            return
        async with parts.database.read() as session:
            row = await repository.checkpoint(session, int(job.payload["size"]))
        if row is None or row.stamp is not None:
            return
        answer, at = await stamping.ask(settings.tsa_url, row.note, roots)
        async with parts.database.write() as session:
            await repository.keep_stamp(session, row.size, answer, at)
        log.info("custody_checkpoint_stamped", entries=row.size, at=str(at))

    return {CHECKPOINT: seal, STAMP: stamp}


def periodics(settings: CustodySection) -> Sequence[Periodic]:
    """Return the jobs that come back."""
    return (Periodic(CHECKPOINT, timedelta(seconds=settings.checkpoint_every_s)),)
