"""Keeping what is known of silences in step with what was heard: found, ended, confirmed, or disproved by a backlog."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from hub.anomalies import repository
from hub.anomalies.circumstances import Duties
from hub.anomalies.coverage import Gap, Spans, gaps, heard, within
from hub.anomalies.finding import Finding, microseconds
from hub.anomalies.model import Watch
from hub.anomalies.recording import Found, Recording
from hub.anomalies.repository import Key
from hub.anomalies.settings import DEVICE_SILENT, GATEWAY_OFFLINE, LOCATION_LOST, AnomaliesSettings
from hub.anomalies.signal_lost import SignalLost
from hub.anomalies.silent import Silent
from hub.devices.model import Device

_EVER_US: Final = 253_370_764_800_000_000  # the year 9999


class Stretch(NamedTuple):
    """The stretch of device time in which silences may have changed: from a last word to the next one, or the end."""

    since_us: int
    until_us: int | None


class Said(NamedTuple):
    """Times at which a device spoke, and when the hub received the last of them."""

    times_us: Sequence[int]
    received_at: datetime


class Silences:
    """Reconciles silences of devices. All times that decide are the devices' own. The caller commits."""

    def __init__(self, settings: AnomaliesSettings, recording: Recording) -> None:
        self._lost = SignalLost(settings)
        self._silent = Silent(settings)
        self._recording = recording
        self._horizon_us = round(timedelta(days=settings.judging.horizon_days) / timedelta(microseconds=1))

    async def fixes_heard(self, session: AsyncSession, row: Device, watch: Watch, said: Said) -> None:
        """Take the times of fixes of an officer's device."""
        limit_us = self._lost.limit_us(row.expected_interval_s)
        before = spans_of(watch.fixes)
        after = within(heard(before, said.times_us, limit_us), self._horizon_us)
        watch.fixes = [list(span) for span in after]
        watch.fixes_at = max(watch.fixes_at or said.received_at, said.received_at)
        if watch.overdue or changed(before, after):
            await self._judge_lost(session, row, watch, stretch(after, min(said.times_us)), None)
            watch.overdue = False

    async def device_heard(
        self, session: AsyncSession, row: Device, watch: Watch, said: Said, *, after_outage: bool
    ) -> None:
        """Take the times of anything from a device that is expected to speak.

        `after_outage`: its gateway was offline at some time that this may fill, so that other devices are judged again.
        """
        assert row.expected_interval_s is not None  # noqa: S101 - only such devices are listened for
        before = spans_of(watch.heard)
        after = within(heard(before, said.times_us, self._silent.limit_us(row.expected_interval_s)), self._horizon_us)
        watch.heard = [list(span) for span in after]
        watch.heard_at = max(watch.heard_at or said.received_at, said.received_at)
        if watch.overdue or after_outage or changed(before, after):
            where = stretch(after, min(said.times_us))
            await self._judge_silent(session, row, watch, where, None)
            if after_outage:
                await self._judge_sisters(session, row, where)
            watch.overdue = False

    async def overdue(self, session: AsyncSession, row: Device, watch: Watch, now: datetime) -> None:
        """Judge the silence that lasts, by the hub's clock: nothing must have been received for as long, either.

        So a box that is still bringing in what it kept is not silent, and neither is one whose clock is behind.
        """
        now_us = microseconds(now)
        if row.officer_id is not None and watch.fixes_at is not None:
            limit_us = self._lost.limit_us(row.expected_interval_s)
            if now_us - microseconds(watch.fixes_at) > limit_us:
                where = Stretch(spans_of(watch.fixes)[-1][1], None)
                watch.overdue |= await self._judge_lost(session, row, watch, where, now_us)
        elif row.expected_interval_s is not None and watch.heard_at is not None:
            limit_us = self._silent.limit_us(row.expected_interval_s)
            if now_us - microseconds(watch.heard_at) > limit_us:
                where = Stretch(spans_of(watch.heard)[-1][1], None)
                watch.overdue |= await self._judge_silent(session, row, watch, where, now_us)

    async def _judge_lost(
        self, session: AsyncSession, row: Device, watch: Watch, where: Stretch, now_us: int | None
    ) -> bool:
        """Reconcile; tell whether anything is lost for the time being."""
        assert row.officer_id is not None  # noqa: S101 - the caller asked
        spans = spans_of(watch.fixes)
        until_us = where.until_us if where.until_us is not None else now_us or spans[-1][1]
        shifts = await repository.shifts(session, [row.officer_id], where.since_us, until_us)
        duties = Duties(shifts[row.officer_id])
        limit_us = self._lost.limit_us(row.expected_interval_s)
        findings = list(self._lost.judge(touching(gaps(spans), where), duties, limit_us, now_us))
        await self._reconcile(
            session, row, findings, kind=LOCATION_LOST, where=where, spans=spans, live=now_us is not None
        )
        return any(finding.ended_us is None for finding in findings)

    async def _judge_silent(
        self, session: AsyncSession, row: Device, watch: Watch, where: Stretch, now_us: int | None
    ) -> bool:
        """Reconcile; tell whether anything is silent for the time being."""
        assert row.expected_interval_s is not None  # noqa: S101 - the caller asked
        outages = await repository.outages(session, row.gateway, GATEWAY_OFFLINE, where.since_us)
        sisters: list[Spans] = []
        if outages:
            watched = await repository.watched(session, row.gateway)
            sisters = [spans_of(other.heard) for name, other in watched.items() if name != row.device]
        limit_us = self._silent.limit_us(row.expected_interval_s)
        spans = spans_of(watch.heard)
        findings = list(self._silent.judge(touching(gaps(spans), where), limit_us, now_us, outages, sisters))
        await self._reconcile(
            session, row, findings, kind=DEVICE_SILENT, where=where, spans=spans, live=now_us is not None
        )
        return any(finding.ended_us is None for finding in findings)

    async def _judge_sisters(self, session: AsyncSession, row: Device, where: Stretch) -> None:
        """Judge the other devices of a gateway again: whether they are to blame depends on whether this one spoke."""
        watched = await repository.watched(session, row.gateway)
        for other in await repository.devices_of(session, row.gateway):
            watch = watched.get(other.device)
            if watch is None or not watch.heard or other.device == row.device or other.expected_interval_s is None:
                continue
            spans = spans_of(watch.heard)
            touched = [gap for gap in gaps(spans) if gap.until_us is not None and touching([gap], where)]
            for gap in touched:
                await self._judge_silent(session, other, watch, Stretch(gap.since_us, gap.until_us), None)

    async def _reconcile(
        self,
        session: AsyncSession,
        row: Device,
        findings: Iterable[Finding],
        *,
        kind: str,
        where: Stretch,
        spans: Spans,
        live: bool,
    ) -> None:
        """Record what is found in a stretch of time, and withdraw what is not found there any more."""
        key: Key = (row.gateway, row.device)
        founds = [Found(row.gateway, row.device, finding) for finding in findings]
        # Whether a silence that lasts is one is the hub's clock to say; data alone neither tells nor disproves it.
        until_us = where.until_us if where.until_us is not None else spans[-1][1] if not live else _EVER_US
        known = await repository.began_between(session, key, [kind], where.since_us, until_us)
        ids = {found.id for found in founds}
        await self._recording.record(session, founds)
        await self._recording.withdraw(session, [each for each in known if each.id not in ids])


def spans_of(stored: Sequence[Sequence[int]]) -> Spans:
    """Return stretches as they are stored."""
    return [(since, until) for since, until in stored]


def changed(before: Spans, after: Spans) -> bool:
    """Whether there are other silences now: more than that the last stretch grew, or the first word was heard."""
    if not before:
        return len(after) > 1
    return len(before) != len(after) or before[:-1] != after[:-1] or before[-1][0] != after[-1][0]


def stretch(spans: Spans, first_us: int) -> Stretch:
    """Return where silences may have changed when something was heard from a time on, to the end."""
    earlier = [until for _, until in spans if until < first_us]
    return Stretch(earlier[-1] if earlier else spans[0][0], None)


def touching(silences: Iterable[Gap], where: Stretch) -> list[Gap]:
    """Return the silences that touch a stretch of time."""
    return [
        gap
        for gap in silences
        if (gap.until_us is None or gap.until_us > where.since_us)
        and (where.until_us is None or gap.since_us < where.until_us)
    ]
