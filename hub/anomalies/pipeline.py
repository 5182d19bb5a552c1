"""The anomaly pipeline: what ingest hands on goes through the detectors, in the transaction that stores it.

Fixes that are later than all before are judged at once, from the state that the last batch left in `watch`. Fixes that
come late are only marked there, and a job that the same transaction makes durable judges the track again from before
them (`rejudging.py`): a backlog costs live alerts nothing, and ends in the same anomalies as live data.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from hub.anomalies import repository, track
from hub.anomalies.camera_events import DeviceEvents
from hub.anomalies.circumstances import Circumstances
from hub.anomalies.fixes import Fix, fix_of, in_order, is_judged
from hub.anomalies.hearing import Hearing
from hub.anomalies.model import Watch
from hub.anomalies.raising import Raising
from hub.anomalies.recording import Found, Recording
from hub.anomalies.rejudging import ask_again
from hub.anomalies.repository import Key
from hub.anomalies.settings import AnomaliesSettings
from hub.anomalies.silences import Said, Silences
from hub.anomalies.surroundings import surroundings
from hub.anomalies.track import HOUR_US, TrackDetectors
from hub.grids.live import LiveGrids
from hub.stream.stream import Stream
from hub.telemetry.contract import Arrival
from protocol.clock import Clock
from protocol.codec import in_utc
from protocol.messages import Event, Position


@dataclass(slots=True)
class Reported:
    """The fixes of one device in a group of batches, and when the last of them was received."""

    received_at: datetime
    fixes: list[Fix] = field(default_factory=list)


class AnomalyPipeline:
    """A consumer of ingest: location detectors, silences of officers' devices, device events."""

    def __init__(self, *, clock: Clock, stream: Stream, grids: LiveGrids, settings: AnomaliesSettings) -> None:
        self._clock = clock
        self._grids = grids
        self._settings = settings
        self._detectors = TrackDetectors(settings)
        self._events = DeviceEvents(settings)
        self.recording: Final = Recording(clock, stream, grids, Raising(clock, stream, settings))
        self.silences: Final = Silences(settings, self.recording)
        self._hearing = Hearing(clock, settings, self.silences)
        self._future = timedelta(seconds=settings.judging.future_s)
        self._horizon = timedelta(days=settings.judging.horizon_days)

    async def take(self, session: AsyncSession, arrivals: Sequence[Arrival]) -> None:
        """Judge what these batches hold. The caller commits."""
        reported = self._reported(arrivals)
        founds: list[Found] = []
        if reported:
            founds += await self._judge_tracks(session, reported)
        founds += self._judge_events(arrivals)
        if founds:
            await self.recording.record(session, founds)

    async def hear(self, session: AsyncSession, arrivals: Sequence[Arrival]) -> None:
        """Note who spoke in any batches, also ones that were taken before. The caller commits."""
        await self._hearing.hear(session, arrivals)

    def _reported(self, arrivals: Sequence[Arrival]) -> dict[Key, Reported]:
        reported: dict[Key, Reported] = {}
        for arrival in arrivals:
            for record in arrival.batch.records:
                if type(record) is Position and is_judged(record, arrival.received_at, self._future, self._horizon):
                    fix = fix_of(record)
                    if fix is not None:
                        key = (arrival.batch.gateway, record.device)
                        of_device = reported.setdefault(key, Reported(arrival.received_at))
                        of_device.fixes.append(fix)
        return reported

    async def _judge_tracks(self, session: AsyncSession, reported: Mapping[Key, Reported]) -> list[Found]:
        devices = await repository.devices(session, reported)
        watches = await repository.hold(session, reported)
        first_us = min(fix.at_us for each in reported.values() for fix in each.fixes)
        last_us = max(fix.at_us for each in reported.values() for fix in each.fixes)
        # Fixes that still wait in a chain are judged with those that came now.
        around = await surroundings(session, self._grids, devices, first_us - HOUR_US, last_us)
        founds: list[Found] = []
        for key, each in reported.items():
            row, watch = devices.get(key), watches[key]
            circumstances = around.get(key, Circumstances())
            founds += await self._judge_track(session, key, watch, in_order(each.fixes), circumstances)
            if row is not None and row.officer_id is not None:
                said = Said([fix.at_us for fix in each.fixes], each.received_at)
                await self.silences.fixes_heard(session, row, watch, said)
        await session.flush()
        return founds

    async def _judge_track(
        self, session: AsyncSession, key: Key, watch: Watch, fixes: Sequence[Fix], around: Circumstances
    ) -> list[Found]:
        state = track.restored(watch.track)
        if fixes[0].at_us <= state.through_us:
            await ask_again(session, self._clock, self._settings.judging.settle_s, key, fixes[0].at_us)
        new = [fix for fix in fixes if fix.at_us > state.through_us]
        if not new:
            return []
        advance = self._detectors.advance(state, new, around)
        watch.track, watch.through_us = track.encode(state), state.through_us
        oldest_us = state.through_us - self._horizon // timedelta(microseconds=1)
        await repository.keep_checkpoints(session, key, advance.checkpoints, oldest_us)
        return [Found(*key, finding) for finding in advance.findings]

    def _judge_events(self, arrivals: Sequence[Arrival]) -> list[Found]:
        founds: list[Found] = []
        for arrival in arrivals:
            for record in arrival.batch.records:
                if type(record) is Event:
                    finding = self._events.judge(record)
                    if finding is not None:
                        said = in_utc(record.at).isoformat(timespec="microseconds")
                        images = dict.fromkeys(record.images, said)
                        founds.append(Found(arrival.batch.gateway, record.device, finding, record.id, images))
        return founds
