"""What other parts of the hub ask of the domain: tasks for alerts, the index of live grids; and two who act at once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select

from diwang.demo import district
from hub.alerts.model import AlertRow
from hub.grids import repository as grids
from hub.grids.live import LiveGrids
from hub.notifications.contract import AlertNotice
from hub.organisation import repository as organisation
from hub.organisation import rostering
from hub.storage.database import Database
from hub.tasks.model import Task
from hub.tasks.opening import open_for_alert
from protocol.clock import ManualClock
from protocol.errors import RefusedRequestError
from protocol.messages import Severity
from tests.domain_api import Domain, post_district, serving

SHOP = "集美小厨"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def api(database: Database, clock: ManualClock, tmp_path: Path) -> AsyncIterator[Domain]:
    async with serving(database, clock, tmp_path) as api:
        yield api


@pytest.fixture
async def ids(api: Domain) -> dict[str, str]:
    return await post_district(api)


async def stored_alert(api: Domain, subject_id: UUID) -> AlertNotice:
    now = api.parts.clock.now()
    row = AlertRow(
        id=api.parts.clock.new_id(),
        key="position.outside:g1/van-7",
        type="position.outside",
        severity="major",
        state="raised",
        gateway="g1",
        device="van-7",
        summary="148 m",
        began_at=now,
        raised_at=now,
        last_seen_at=now,
    )
    async with api.parts.database.write() as session:
        session.add(row)
    return AlertNotice(
        alert_id=row.id,
        key=row.key,
        type=row.type,
        severity=Severity.MAJOR,
        summary=row.summary,
        subject_id=subject_id,
        subject_name=SHOP,
        grid_id=district.PATROLLED,
        grid_name=None,
        officer_id=None,
        officer_name=None,
        device=row.device,
        gateway=row.gateway,
        at=now,
        times_seen=1,
    )


async def open_task(api: Domain, alert: AlertNotice, officer_id: UUID, kind: str) -> tuple[UUID, bool]:
    parts = api.parts
    async with parts.database.write() as session:
        officer = await organisation.officer(session, officer_id)
        task, new = await open_for_alert(
            session, parts.clock, parts.stream, alert, officer, kind=kind, title="去看一看", due=None
        )
        return task.id, new


async def test_an_alert_opens_one_task(api: Domain, ids: dict[str, str]) -> None:
    alert = await stored_alert(api, UUID(ids[SHOP]))
    assistant = UUID(ids[district.PATROLLER])
    first, new = await open_task(api, alert, assistant, "verify")
    assert new
    assert await open_task(api, alert, assistant, "verify") == (first, False)
    (task,) = await api.every("/tasks")
    assert (task["id"], task["alert"], task["grid"]) == (str(first), str(alert.alert_id), district.PATROLLED)
    lines = await api.every(f"/subjects/{ids[SHOP]}/archive")
    assert [line["kind"] for line in lines] == ["task.opened", "subject.registered"]


async def test_not_even_an_alert_sends_an_assistant_to_inspect(api: Domain, ids: dict[str, str]) -> None:
    alert = await stored_alert(api, UUID(ids[SHOP]))
    with pytest.raises(RefusedRequestError, match="国办发") as caught:
        await open_task(api, alert, UUID(ids[district.PATROLLER]), "现场检查")
    assert caught.value.rule == "tasks.assistants_do_not_inspect"
    async with api.parts.database.read() as session:
        assert (await session.scalars(select(Task))).all() == []


async def test_grids_changed_by_another_process_are_seen_soon(
    api: Domain, ids: dict[str, str], clock: ManualClock
) -> None:
    assert ids
    other = LiveGrids(api.parts.database, clock)
    before = await other.current()
    assert before.locate(24.5660, 118.0990) == district.PATROLLED
    fewer = district.grids()
    fewer["features"] = fewer["features"][:4]
    await api.post("/grids/import", fewer, expected=200)
    assert (await api.get("/grids/at", lat=24.5660, lon=118.0990))["grid"] is None
    assert await other.current() is before
    clock.advance(2.5)
    after = await other.current()
    assert after.locate(24.5660, 118.0990) is None
    clock.advance(2.5)
    assert await other.current() is after


async def test_of_two_who_take_a_grid_at_once_one_gets_it(api: Domain, ids: dict[str, str], clock: ManualClock) -> None:
    start = clock.now() - timedelta(days=4000)

    async def take(name: str) -> str:
        async with api.parts.database.write() as session:
            officer = await organisation.officer(session, UUID(ids[name]))
            try:
                await rostering.put_on_duty(
                    session,
                    clock,
                    officer,
                    district.PATROLLED,
                    role="holder",
                    since=start,
                    until=start + timedelta(days=1),
                )
            except RefusedRequestError as error:
                return error.rule
            return "taken"

    assert sorted(await asyncio.gather(*(take(name) for name in ("乙片区网格员", "丙片区网格员")))) == [
        "roster.two_holders",
        "taken",
    ]


async def test_two_imports_at_once_leave_whole_versions(api: Domain, ids: dict[str, str]) -> None:
    assert ids
    renamed = district.grids()
    for feature in renamed["features"]:
        feature["properties"]["name"] += "甲"
    again = district.grids()
    for feature in again["features"]:
        feature["properties"]["name"] += "乙"
    await asyncio.gather(*(api.post("/grids/import", each, expected=200) for each in (renamed, again)))
    async with api.parts.database.read() as session:
        live = await grids.live(session)
    assert {grid.version for grid in live} == {3}
    assert len({grid.name[-1] for grid in live}) == 1
