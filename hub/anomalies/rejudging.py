"""Judging a track again, because fixes came late: from a state before them, over everything that is stored since.

The fold runs outside the transaction, in portions, so that live data goes on; what came meanwhile is added inside.
Marks that were set after it began stay, and another pass answers them. So when no mark is left, the state is that of
all stored fixes in order, and the anomalies are those of data that came live: what does not hold is withdrawn.

Late fixes are gathered for `settle_s`, one job per device and such a slot: a backlog of 72 hours that is drained in ten
minutes costs a device some dozens of passes over what has come, not one for each batch.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from hub.anomalies import repository, track
from hub.anomalies.circumstances import Circumstances
from hub.anomalies.finding import Finding, instant
from hub.anomalies.fixes import Fix, fix_of, in_order, is_judged
from hub.anomalies.recording import Found, Recording
from hub.anomalies.repository import Key
from hub.anomalies.settings import AnomaliesSettings
from hub.anomalies.surroundings import surroundings
from hub.anomalies.track import HOUR_US, TRACK_TYPES, TrackDetectors, TrackState
from hub.grids.live import LiveGrids
from hub.jobs.enqueueing import enqueue
from hub.jobs.model import Job
from hub.storage.database import Database
from hub.telemetry.contract import StoredPosition, TelemetryStore
from protocol.clock import Clock

REJUDGE: Final = "anomalies.rejudge"
_PAGE: Final = 1_000
_INSTANT: Final = timedelta(microseconds=1)
_EVER: Final = -1


async def ask_again(session: AsyncSession, clock: Clock, settle_s: float, key: Key, at_us: int) -> None:
    """Mark that a track must be judged again from a time on, with the job that will do it, in one transaction."""
    await repository.mark_late(session, key, at_us)
    slot_s = max(settle_s, 0.1)
    # Due a whole slot after the slot's end: every mark that shares this job is committed by then.
    slot = int(clock.now().timestamp() / slot_s) + 2
    await enqueue(
        session,
        clock,
        REJUDGE,
        dedupe_key=f"{REJUDGE}:{key[0]}/{key[1]}@{slot}",
        payload={"gateway": key[0], "device": key[1]},
        due_at=datetime.fromtimestamp(slot * slot_s, UTC),
    )


@dataclass(slots=True)
class Pass:
    """One pass over a track: the marks that it answers, where it starts, and what it found."""

    first_mark: int
    last_mark: int
    start_us: int
    state: TrackState
    findings: list[Finding]
    checkpoints: dict[int, bytes] = field(default_factory=dict)


class Rejudging:
    """Answers marks of late fixes. Doing it again changes nothing."""

    def __init__(
        self,
        *,
        database: Database,
        telemetry: TelemetryStore,
        grids: LiveGrids,
        settings: AnomaliesSettings,
        recording: Recording,
    ) -> None:
        self._database = database
        self._telemetry = telemetry
        self._grids = grids
        self._detectors = TrackDetectors(settings)
        self._recording = recording
        self._future = timedelta(seconds=settings.judging.future_s)
        self._horizon = timedelta(days=settings.judging.horizon_days)

    async def handle(self, job: Job) -> None:
        """Judge the track of one device again, as a job."""
        await self.judge_again((job.payload["gateway"], job.payload["device"]))

    async def judge_again(self, key: Key) -> None:
        """Answer every mark of a device. Raises StoreUnavailableError; what was answered until then stays."""
        while not await self._answer(key):
            continue

    async def _answer(self, key: Key) -> bool:
        """Make one pass; tell whether it was the last that is needed. A pass that another overtook is dropped."""
        async with self._database.read() as session:
            began = await self._begin(session, key)
            if began is None:
                return True
            through_us = await repository.judged_through(session, key)
            around = await self._around(session, key, began.start_us, through_us)
        await self._fold(key, began, through_us, around)
        async with self._database.write() as session:
            watch = (await repository.hold(session, [key]))[key]
            marks = await repository.late(session, key)
            if marks is None or marks.first != began.first_mark:
                return marks is None
            if watch.through_us is not None and watch.through_us > through_us:
                around = await self._around(session, key, through_us, watch.through_us)
                await self._fold(key, began, watch.through_us, around)
            await self._reconcile(session, key, began)
            watch.track, watch.through_us = track.encode(began.state), began.state.through_us
            await repository.forget_late(session, key, began.last_mark)
            return marks.last == began.last_mark

    async def _begin(self, session: AsyncSession, key: Key) -> Pass | None:
        marks = await repository.late(session, key)
        if marks is None:
            return None
        checkpoint = await repository.checkpoint_before(session, key, marks.from_us)
        state = track.restored(checkpoint.state if checkpoint else None)
        # Where the checkpoint is of an older layout, everything is judged again.
        start_us = checkpoint.at_us if checkpoint and state.through_us == checkpoint.at_us else _EVER
        return Pass(marks.first, marks.last, start_us, state, list(state.open()))

    async def _around(self, session: AsyncSession, key: Key, since_us: int, until_us: int) -> Circumstances:
        devices = await repository.devices(session, [key])
        # Fixes that wait in the chain at the start are judged with those that follow.
        since_us = max(since_us - HOUR_US, 0)
        return (await surroundings(session, self._grids, devices, since_us, until_us)).get(key, Circumstances())

    async def _fold(self, key: Key, began: Pass, until_us: int, around: Circumstances) -> None:
        async for fixes in self._stored(key, began.state.through_us, until_us):
            advance = self._detectors.advance(began.state, fixes, around)
            began.findings += advance.findings
            began.checkpoints |= advance.checkpoints
        began.state.through_us = max(began.state.through_us, until_us)

    async def _stored(self, key: Key, after_us: int, until_us: int) -> AsyncIterator[list[Fix]]:
        """Yield the fixes after one time and until another, in order; those of one instant are never parted."""
        since, end = instant(after_us + 1), instant(until_us + 1)
        while since < end:
            rows = await self._telemetry.positions(*key, since, end, _PAGE)
            last = rows[-1].position.at if len(rows) == _PAGE else end
            whole = [row for row in rows if row.position.at < last] or rows
            yield in_order(fix for row in whole if (fix := self._fix(row)) is not None)
            since = last if len(whole) < len(rows) else last + _INSTANT

    def _fix(self, row: StoredPosition) -> Fix | None:
        judged = is_judged(row.position, row.received_at, self._future, self._horizon)
        return fix_of(row.position) if judged else None

    async def _reconcile(self, session: AsyncSession, key: Key, done: Pass) -> None:
        """Make what is known of the track after the start of a pass what the pass found."""
        known = await repository.decided_after(session, key, TRACK_TYPES, done.start_us)
        founds = [Found(*key, finding) for finding in done.findings]
        ids = {found.id for found in founds}
        await self._recording.record(session, _last_words(founds))
        await self._recording.withdraw(session, [row for row in known if row.id not in ids])
        await repository.drop_checkpoints_after(session, key, done.start_us)
        oldest_us = done.state.through_us - self._horizon // _INSTANT
        await repository.keep_checkpoints(session, key, done.checkpoints, oldest_us)


def _last_words(founds: list[Found]) -> list[Found]:
    """Return the last finding of each anomaly, so that one that ended is not first written down as lasting again."""
    return list({found.id: found for found in founds}.values())
