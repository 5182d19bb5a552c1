"""From records to alerts, on both databases: links, counts, archives, tasks, notifications, silences."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select

from hub.alerts.model import AlertAct, AlertRow
from hub.anomalies.model import Anomaly
from hub.anomalies.settings import (
    DEVICE_SILENT,
    GATEWAY_OFFLINE,
    LOCATION_LOST,
    LOCATION_MOVED,
    LOCATION_OUTSIDE,
    AnomaliesSettings,
)
from hub.jobs.model import Job
from hub.metrics import OPEN_ALERTS
from hub.notifications.model import Channel, Notification
from hub.storage.base import Base
from hub.storage.database import Database
from hub.stream.model import StreamEventRow
from hub.subjects.model import ArchiveEntry
from hub.tasks.model import Task
from protocol.messages import Event, EventState, Severity
from tests.simulators.supervised import DAWN, GATEWAY, GRID, MIDDLE, Site, supervised
from tests.simulators.tracks import displaced, standing

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def covered(
    state: EventState,
    minutes: float,
    *,
    happening: int = 1,
    severity: Severity = Severity.MAJOR,
    images: tuple[str, ...] = (),
) -> Event:
    return Event(
        device="cam-1",
        at=DAWN + minutes * MINUTE,
        type="camera.covered",
        severity=severity,
        id=UUID(int=happening),
        state=state,
        score=0.9,
        images=images,
    )


async def with_channel(site: Site) -> None:
    async with site.parts.database.write() as session:
        session.add(
            Channel(id=uuid4(), name="all", kind="console", options={}, minimum_severity="info", created_at=DAWN)
        )


async def occasions(site: Site) -> list[str]:
    async with site.parts.database.read() as session:
        return list(await session.scalars(select(Notification.occasion).order_by(Notification.id)))


async def rows(site: Site, table: type[Base]) -> int:
    async with site.parts.database.read() as session:
        return await session.scalar(select(func.count()).select_from(table)) or 0


async def archive(site: Site) -> list[str]:
    async with site.parts.database.read() as session:
        return list(await session.scalars(select(ArchiveEntry.kind).order_by(ArchiveEntry.number)))


async def the_alert(site: Site) -> AlertRow:
    (alert,) = await site.alerts()
    return alert


async def test_a_covered_camera_is_linked_raised_told_and_archived(database: Database, tmp_path: Path) -> None:
    async with supervised(database, tmp_path) as site:
        await with_channel(site)
        await site.install("cam-1", at=None)
        await site.duty(DAWN, DAWN + HOUR)
        await site.take([covered(EventState.BEGAN, 5, images=("a" * 64,))])
        (anomaly,) = await site.anomalies()
        assert (anomaly.subject_id, anomaly.grid_id, anomaly.officer_id) == (site.subject, GRID, site.officer)
        assert list(anomaly.images) == ["a" * 64]
        alert = await the_alert(site)
        assert (alert.key, alert.state, alert.times_seen) == (f"camera.covered:{GATEWAY}/cam-1", "raised", 1)
        assert (alert.officer_id, alert.began_at, alert.condition_ended_at) == (site.officer, anomaly.began_at, None)
        assert await archive(site) == ["anomaly.found", "alert.raise"]
        assert await occasions(site) == ["raised"]
        assert await rows(site, Task) == 0


async def test_off_duty_nobody_is_linked(database: Database, tmp_path: Path) -> None:
    async with supervised(database, tmp_path) as site:
        await site.install("cam-1")
        await site.duty(DAWN + 2 * HOUR, DAWN + 3 * HOUR)
        await site.take([covered(EventState.BEGAN, 5)])
        (anomaly,) = await site.anomalies()
        assert (anomaly.subject_id, anomaly.officer_id) == (site.subject, None)


async def test_its_end_is_told_but_a_person_closes(database: Database, tmp_path: Path) -> None:
    async with supervised(database, tmp_path) as site:
        await with_channel(site)
        await site.install("cam-1")
        await site.take([covered(EventState.BEGAN, 5)])
        await site.take([covered(EventState.ENDED, 9)])
        alert = await the_alert(site)
        assert (alert.condition_ended_at, alert.closed_at) == (DAWN + 9 * MINUTE, None)
        assert await occasions(site) == ["raised", "ended"]


async def test_messages_in_any_order_and_again_make_one_anomaly(database: Database, tmp_path: Path) -> None:
    async with supervised(database, tmp_path) as site:
        await site.install("cam-1")
        await site.take([covered(EventState.ENDED, 9), covered(EventState.BEGAN, 5)])
        before = await site.standing("cam-1")
        told = await rows(site, StreamEventRow)
        await site.take([covered(EventState.BEGAN, 5), covered(EventState.ENDED, 9)])
        await site.take([covered(EventState.ENDED, 9)])
        assert await site.standing("cam-1") == before
        assert (await the_alert(site)).times_seen == 1
        assert await rows(site, StreamEventRow) == told


async def test_the_same_condition_counts_up_and_only_gets_worse(database: Database, tmp_path: Path) -> None:
    async with supervised(database, tmp_path) as site:
        await with_channel(site)
        await site.install("cam-1")
        await site.take([covered(EventState.INSTANT, 5, severity=Severity.MINOR)])
        await site.take([covered(EventState.BEGAN, 9, happening=2, severity=Severity.CRITICAL)])
        await site.take([covered(EventState.BEGAN, 19, happening=3, severity=Severity.MINOR)])
        alert = await the_alert(site)
        assert (alert.times_seen, alert.severity, alert.began_at) == (3, "critical", DAWN + 5 * MINUTE)
        assert (alert.last_seen_at, alert.condition_ended_at) == (DAWN + 19 * MINUTE, None)
        assert await occasions(site) == ["raised", "worse"]
        async with site.parts.database.read() as session:
            assert list(await session.scalars(select(AlertAct.act).order_by(AlertAct.number))) == ["raise", "worsen"]


async def test_a_closed_alert_counts_no_more_and_a_new_happening_raises_another(
    database: Database, tmp_path: Path
) -> None:
    async with supervised(database, tmp_path) as site:
        await site.install("cam-1")
        await site.take([covered(EventState.BEGAN, 5)])
        async with database.write() as session:
            alert = await session.get_one(AlertRow, (await the_alert(site)).id)
            alert.state, alert.closed_at = "closed", site.clock.now()
        await site.take([covered(EventState.ENDED, 9)])
        assert len(await site.alerts()) == 1
        await site.take([covered(EventState.BEGAN, 19, happening=2)])
        assert [each.state for each in await site.alerts()] == ["closed", "raised"]


async def test_information_raises_no_alert(database: Database, tmp_path: Path) -> None:
    async with supervised(database, tmp_path) as site:
        await site.take([covered(EventState.BEGAN, 5, severity=Severity.INFO)])
        assert (len(await site.anomalies()), len(await site.alerts())) == (1, 0)


async def test_a_moved_device_opens_one_task_for_the_officer_on_duty(database: Database, tmp_path: Path) -> None:
    async with supervised(database, tmp_path) as site:
        await site.install("gps-1")
        await site.duty(DAWN, DAWN + 3 * HOUR)
        fixes = standing(*MIDDLE, DAWN, count=200)
        await site.report("gps-1", fixes[:60])
        await site.report("gps-1", [displaced(fix, 90, 0) for fix in fixes[60:]])
        assert [row.type for row in await site.anomalies()] == [LOCATION_MOVED]
        async with database.read() as session:
            (task,) = await session.scalars(select(Task))
        assert (task.officer_id, task.grid_id, task.subject_id) == (site.officer, GRID, site.subject)


async def test_a_grave_camera_alert_opens_no_task_by_itself(database: Database, tmp_path: Path) -> None:
    async with supervised(database, tmp_path) as site:
        await site.install("cam-1")
        await site.take([covered(EventState.BEGAN, 5, severity=Severity.CRITICAL)])
        assert await rows(site, Task) == 0


async def test_an_officer_outside_the_grid_is_seen_while_it_happens(database: Database, tmp_path: Path) -> None:
    async with supervised(database, tmp_path) as site:
        await site.carry("van-7")
        await site.duty(DAWN, DAWN + 3 * HOUR)
        fixes = standing(*MIDDLE, DAWN, count=90)
        for number, fix in enumerate(fixes):
            step = min(max(number - 30, 0), 20) * 40
            await site.report("van-7", [displaced(fix, step, 0)])
        (anomaly,) = [row for row in await site.anomalies() if row.type == LOCATION_OUTSIDE]
        assert (anomaly.officer_id, anomaly.grid_id, anomaly.ended_at) == (site.officer, GRID, None)
        assert anomaly.data["metres"] > 30


async def test_a_transaction_that_fails_leaves_nothing_behind(database: Database, tmp_path: Path) -> None:
    """What memory holds is not ahead of what is stored: the same batch, offered again, is judged again."""

    class LostError(Exception):
        pass

    async with supervised(database, tmp_path) as site:
        await site.carry("van-7")
        await site.duty(DAWN, DAWN + 3 * HOUR)
        fixes = standing(*MIDDLE, DAWN, count=60)
        await site.report("van-7", fixes[:30])
        away = [displaced(fix, 900, 0) for fix in fixes[30:]]
        with pytest.raises(LostError):
            await site.lose(site.arrival("van-7", away), LostError())
        assert await site.anomalies() == []
        await site.report("van-7", away)
        assert LOCATION_OUTSIDE in {row.type for row in await site.anomalies()}


async def test_late_fixes_leave_a_durable_job_in_the_same_transaction(database: Database, tmp_path: Path) -> None:
    async with supervised(database, tmp_path) as site:
        fixes = standing(*MIDDLE, DAWN, count=60)
        await site.report("van-7", fixes[30:])
        assert await rows(site, Job) == 0
        for fix in fixes[:30]:
            await site.report("van-7", [fix])
        async with database.read() as session:
            jobs = list(await session.scalars(select(Job).order_by(Job.due_at)))
        assert {job.payload["device"] for job in jobs} == {"van-7"}
        assert all(job.due_at - job.created_at >= timedelta(seconds=10) for job in jobs)
        # 30 batches, 5 s of the hub's clock each, gathered into slots of 10 s.
        assert len(jobs) <= 16


async def test_a_clock_that_runs_ahead_is_not_judged(database: Database, tmp_path: Path) -> None:
    async with supervised(database, tmp_path) as site:
        await site.install("gps-1")
        fixes = standing(*MIDDLE, DAWN + 24 * HOUR, count=60)
        await site.report("gps-1", [displaced(fix, 5_000, 0) for fix in fixes], received_at=DAWN)
        await site.report("gps-1", standing(*MIDDLE, DAWN, count=60))
        assert (await site.anomalies(), await rows(site, Job)) == ([], 0)


# Silences


async def test_a_silent_device_is_told_live_and_ends_with_its_next_word(database: Database, tmp_path: Path) -> None:
    async with supervised(database, tmp_path) as site:
        await site.install("fridge", expected_interval_s=60)
        await site.read("fridge", *(DAWN + minute * MINUTE for minute in range(5)))
        await site.look(DAWN + 6 * MINUTE)
        assert await site.anomalies() == []
        await site.look(DAWN + 8 * MINUTE)
        (live,) = await site.standing("fridge")
        assert live[1:] == (DEVICE_SILENT, DAWN + 4 * MINUTE, None)
        await site.look(DAWN + 9 * MINUTE)
        await site.read("fridge", DAWN + 12 * MINUTE)
        assert await site.standing("fridge") == {(live[0], DEVICE_SILENT, DAWN + 4 * MINUTE, DAWN + 12 * MINUTE)}


async def test_a_backlog_disproves_a_silence(database: Database, tmp_path: Path) -> None:
    async with supervised(database, tmp_path) as site:
        await site.install("fridge", expected_interval_s=60)
        await site.read("fridge", DAWN)
        await site.look(DAWN + 10 * MINUTE)
        await site.read("fridge", DAWN + 20 * MINUTE)
        assert len(await site.anomalies("fridge")) == 1
        await site.read("fridge", *(DAWN + minute * MINUTE for minute in range(1, 20)))
        assert await site.anomalies("fridge") == []
        (withdrawn,) = await site.anomalies("fridge", withdrawn=True)
        assert withdrawn.withdrawn_at is not None
        alert = await the_alert(site)
        assert (alert.times_seen, alert.closed_at) == (0, None)
        assert alert.condition_ended_at is not None


async def test_a_backlog_that_confirms_a_silence_keeps_its_identity(database: Database, tmp_path: Path) -> None:
    async with supervised(database, tmp_path) as site:
        await site.install("fridge", expected_interval_s=60)
        await site.read("fridge", DAWN)
        await site.look(DAWN + 10 * MINUTE)
        (live,) = await site.anomalies("fridge")
        await site.read("fridge", *(DAWN + minute * MINUTE for minute in range(15, 20)))
        (confirmed,) = await site.anomalies("fridge")
        assert (confirmed.id, confirmed.ended_at) == (live.id, DAWN + 15 * MINUTE)


async def test_a_box_that_brings_in_what_it_kept_is_not_silent(database: Database, tmp_path: Path) -> None:
    async with supervised(database, tmp_path) as site:
        await site.install("fridge", expected_interval_s=60)
        now = DAWN + 10 * HOUR
        await site.look(now)
        await site.read("fridge", *(DAWN + minute * MINUTE for minute in range(60)), received_at=now)
        await site.look(now + MINUTE)
        assert await site.anomalies() == []


async def test_an_outage_of_a_gateway_is_one_alert(database: Database, tmp_path: Path) -> None:
    async with supervised(database, tmp_path) as site:
        devices = ("fridge", "freezer", "hood")
        for device in devices:
            await site.install(device, expected_interval_s=60)
            await site.read(device, DAWN)
        await site.look(DAWN)
        await site.link(online=False, at=DAWN)
        for minute in (1, 4, 9, 20):
            await site.look(DAWN + minute * MINUTE)
        assert [row.type for row in await site.anomalies()] == [GATEWAY_OFFLINE]
        await site.link(online=True, at=DAWN + 30 * MINUTE)
        await site.look(DAWN + 31 * MINUTE)
        for device in devices:
            await site.read(device, *(DAWN + minute * MINUTE for minute in range(30, 40)))
        (outage,) = await site.anomalies()
        assert (outage.device, outage.ended_at) == ("", DAWN + 30 * MINUTE)
        assert outage.subject_id == site.subject
        assert len(await site.alerts()) == 1


@pytest.mark.parametrize("first", ["fridge", "hood"])
async def test_but_a_device_that_was_silent_while_another_spoke_is_told(
    database: Database, tmp_path: Path, first: str
) -> None:
    """The backlog after an outage shows that the box ran: whichever device's part of it comes first."""
    async with supervised(database, tmp_path) as site:
        for device in ("fridge", "hood"):
            await site.install(device, expected_interval_s=60)
            await site.read(device, DAWN)
        await site.look(DAWN)
        await site.link(online=False, at=DAWN)
        await site.look(DAWN + 20 * MINUTE)
        await site.link(online=True, at=DAWN + 30 * MINUTE)
        await site.look(DAWN + 31 * MINUTE)
        words = {"fridge": [DAWN + 30 * MINUTE], "hood": [DAWN + minute * MINUTE for minute in range(1, 32)]}
        for device in sorted(words, key=lambda name: name != first):
            await site.read(device, *words[device])
        told = {(row.device, row.type) for row in await site.anomalies()}
        assert told == {("", GATEWAY_OFFLINE), ("fridge", DEVICE_SILENT)}


async def test_an_officer_who_is_lost_on_duty(database: Database, tmp_path: Path) -> None:
    async with supervised(database, tmp_path) as site:
        await site.carry("van-7")
        await site.duty(DAWN, DAWN + HOUR)
        await site.report("van-7", standing(*MIDDLE, DAWN, count=60))
        await site.look(DAWN + 11 * MINUTE)
        assert await site.anomalies() == []
        await site.look(DAWN + 14 * MINUTE)
        (lost,) = await site.anomalies()
        assert (lost.type, lost.began_at, lost.ended_at) == (LOCATION_LOST, DAWN + timedelta(seconds=590), None)
        await site.look(DAWN + 2 * HOUR)
        (over,) = await site.anomalies()
        assert (over.id, over.ended_at) == (lost.id, DAWN + HOUR)


async def test_a_backlog_finds_the_officer_again(database: Database, tmp_path: Path) -> None:
    async with supervised(database, tmp_path) as site:
        await site.carry("van-7")
        await site.duty(DAWN, DAWN + HOUR)
        fixes = standing(*MIDDLE, DAWN, count=180)
        await site.report("van-7", fixes[:60])
        await site.look(DAWN + 20 * MINUTE)
        assert len(await site.anomalies()) == 1
        await site.report("van-7", fixes[120:])
        await site.report("van-7", fixes[60:120])
        await site.settle()
        assert await site.anomalies() == []


async def test_a_hub_that_was_away_itself_waits_before_it_believes_a_silence(
    database: Database, tmp_path: Path
) -> None:
    async with supervised(database, tmp_path) as site:
        await site.install("fridge", expected_interval_s=60)
        await site.read("fridge", DAWN)
        site.clock.step(3_600)
        site.restart()
        await site.overdue.look()
        assert await site.anomalies() == []
        await site.look(site.clock.now() + 3 * MINUTE)
        assert len(await site.anomalies()) == 1


async def test_open_alerts_are_shown_by_severity(database: Database, tmp_path: Path) -> None:
    async with supervised(database, tmp_path) as site:
        await site.take([covered(EventState.BEGAN, 5, severity=Severity.CRITICAL)])
        await site.look(DAWN)
        assert OPEN_ALERTS.labels("critical")._value.get() == 1
        assert OPEN_ALERTS.labels("minor")._value.get() == 0


def test_severities_may_be_given_in_part_and_only_for_what_there_is() -> None:
    settings = AnomaliesSettings.model_validate({"severities": {LOCATION_MOVED: "critical"}})
    assert (settings.severities[LOCATION_MOVED], settings.severities[LOCATION_LOST]) == ("critical", "major")
    with pytest.raises(ValueError, match="no such type"):
        AnomaliesSettings.model_validate({"severities": {"location.lost": "critical"}})


async def test_thresholds_are_data(database: Database, tmp_path: Path) -> None:
    settings = AnomaliesSettings.model_validate({"alerting": {"alert_from": "critical"}})
    async with supervised(database, tmp_path, settings) as site:
        await site.take([covered(EventState.BEGAN, 5)])
        assert (await rows(site, Anomaly), await site.alerts()) == (1, [])
