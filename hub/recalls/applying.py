"""A recall that is new or withdrawn reaches what was scanned before, by a job that its transaction makes durable."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from hub.anomalies.recording import Recording
from hub.jobs.enqueueing import enqueue
from hub.jobs.model import Job
from hub.recalls import finding, repository
from hub.storage.database import Database
from protocol.clock import Clock

APPLY: Final = "recalls.apply"
WITHDRAWN: Final = "召回已撤销"
_AT_ONCE: Final = 500
_AGAIN_AFTER: Final = timedelta(minutes=1)
"""A scan whose transaction was open when the recall was committed did not see it, and the first look not that scan."""


async def ask(session: AsyncSession, clock: Clock, recall_id: UUID, version: int) -> None:
    """Have a recall applied after the commit, and once more a little later."""
    payload = {"recall": str(recall_id)}
    key = f"{APPLY}:{recall_id}/{version}"
    await enqueue(session, clock, APPLY, dedupe_key=key, payload=payload)
    await enqueue(session, clock, APPLY, dedupe_key=f"{key}/again", payload=payload, due_at=clock.now() + _AGAIN_AFTER)


class Applying:
    """The job: finds what a recall covers among stored scans, or takes back what a withdrawn one found."""

    def __init__(self, database: Database, recording: Recording) -> None:
        self._database = database
        self._recording = recording

    async def handle(self, job: Job) -> None:
        """Apply one recall, portion by portion; doing it again changes nothing."""
        recall_id = UUID(job.payload["recall"])
        after: UUID | None = None
        more = True
        while more:
            async with self._database.write() as session:
                recall = await repository.find(session, recall_id)
                if recall.withdrawn_at is not None:
                    hits = await repository.standing_hits(session, recall_id, _AT_ONCE)
                    await self._recording.withdraw(session, hits, because=WITHDRAWN)
                    more = len(hits) == _AT_ONCE
                else:
                    scans = await repository.scans_of(session, recall.item, after, _AT_ONCE)
                    await finding.record(session, self._recording, scans, [recall])
                    more, after = len(scans) == _AT_ONCE, scans[-1].id if scans else None
