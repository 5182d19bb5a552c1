"""Alerts and anomalies over HTTP, on both databases."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.accounts.scopes import Scope
from hub.app import create_app
from hub.storage.database import Database
from protocol.messages import Event, EventState, Severity
from tests.serving import Api, new_key
from tests.simulators.supervised import DAWN, GRID, MIDDLE, Site, supervised
from tests.simulators.tracks import displaced, standing

MINUTE = timedelta(minutes=1)


@pytest.fixture
async def site(database: Database, tmp_path: Path) -> AsyncIterator[Site]:
    async with supervised(database, tmp_path) as opened:
        await opened.install("cam-1")
        await opened.install("gps-1")
        await opened.duty(DAWN, DAWN + 60 * MINUTE)
        yield opened


@pytest.fixture
async def api(site: Site) -> AsyncIterator[Api]:
    async with Api(create_app(site.parts), await new_key(site.parts, Scope.ALERTS_READ, Scope.ALERTS_ACT)) as client:
        yield client


async def cover(site: Site, minutes: int = 1, *, device: str = "cam-1", severity: Severity = Severity.MAJOR) -> None:
    event = Event(
        device=device,
        at=DAWN + minutes * MINUTE,
        type="camera.covered",
        severity=severity,
        id=site.clock.new_id(),
        state=EventState.BEGAN,
        images=("b" * 64,),
    )
    await site.take([event])


async def test_pictures_come_in_the_order_of_what_they_show(site: Site, api: Api) -> None:
    happening = site.clock.new_id()
    for minutes, state, image in ((1, EventState.BEGAN, "e" * 64), (3, EventState.ENDED, "a" * 64)):
        event = Event(
            device="cam-1",
            at=DAWN + minutes * MINUTE,
            type="camera.covered",
            severity=Severity.MAJOR,
            id=happening,
            state=state,
            images=(image,),
        )
        await site.take([event])
    whole = (await api.get(f"/api/v1/alerts/{await alert_id(api)}")).json()
    assert whole["images"] == ["e" * 64, "a" * 64]


async def drive_off(site: Site) -> None:
    fixes = standing(*MIDDLE, DAWN, count=200)
    await site.report("gps-1", fixes[:60])
    await site.report("gps-1", [displaced(fix, 90, 0) for fix in fixes[60:]])


async def alert_id(api: Api, kind: str = "camera.covered") -> str:
    (item,) = (await api.get("/api/v1/alerts", params={"type": kind})).json()["items"]
    found: str = item["id"]
    return found


async def act(api: Api, alert: str, what: str, body: dict[str, Any] | None = None, seen: str | None = None) -> Any:
    return await api.post(f"/api/v1/alerts/{alert}/{what}", json=body or {}, headers={"If-Match": seen} if seen else {})


async def test_a_list_has_what_scripts_depend_on(site: Site, api: Api) -> None:
    await cover(site)
    (item,) = (await api.get("/api/v1/alerts")).json()["items"]
    expected = {
        "key": "camera.covered:g1/cam-1",
        "type": "camera.covered",
        "severity": "major",
        "state": "raised",
        "device": "cam-1",
        "subject": str(site.subject),
        "grid": GRID,
        "officer": str(site.officer),
        "at": "2026-11-24T00:01:00Z",
        "times_seen": 1,
        "tasks": [],
    }
    assert {name: item[name] for name in expected} == expected


async def test_lists_filter_and_page(site: Site, api: Api) -> None:
    for number in range(5):
        await cover(site, number, device=f"cam-{number}", severity=list(Severity)[1 + number % 3])
    seen, cursor = [], None
    while True:
        page = (await api.get("/api/v1/alerts", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))).json()
        seen += [item["device"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == ["cam-4", "cam-3", "cam-2", "cam-1", "cam-0"]
    for filters, count in (
        ({"severity": "minor"}, 2),
        ({"state": "raised"}, 5),
        ({"state": ["closed", "verified"]}, 0),
        ({"grid": GRID}, 1),
        ({"subject": str(site.subject)}, 1),
        ({"type": "camera.dark"}, 0),
    ):
        assert len((await api.get("/api/v1/alerts", params=filters)).json()["items"]) == count, filters


async def test_one_alert_shows_its_acts_anomalies_and_images(site: Site, api: Api) -> None:
    await cover(site)
    await cover(site, 9)
    answer = await api.get(f"/api/v1/alerts/{await alert_id(api)}")
    whole = answer.json()
    assert [each["at"] for each in whole["anomalies"]] == ["2026-11-24T00:01:00Z", "2026-11-24T00:09:00Z"]
    assert (whole["images"], whole["times_seen"]) == (["b" * 64], 2)
    assert [(each["act"], each["actor"]) for each in whole["acts"]] == [("raise", "hub")]
    assert answer.headers["etag"] == f'"{whole["version"]}"'


async def test_the_whole_way_of_a_camera_alert(site: Site, api: Api) -> None:
    await cover(site)
    alert = await alert_id(api)
    refused = await act(api, alert, "dispatch")
    assert (refused.status_code, refused.json()["rule"]) == (409, "alerts.unreviewed-recording")
    assert "第四十一条" in refused.json()["detail"]
    assert (await act(api, alert, "acknowledge", {"actor": "Lin"})).json()["state"] == "acknowledged"
    assert (await act(api, alert, "close")).json()["rule"] == "alerts.unreviewed-recording"
    assert (await act(api, alert, "verify", {"actor": "Lin", "reason": "lens is covered"})).json()[
        "state"
    ] == "verified"
    sent = (await act(api, alert, "dispatch", {"actor": "Lin"})).json()
    assert (sent["state"], len(sent["tasks"])) == ("dispatched", 1)
    assert (await act(api, alert, "close", {"actor": "Lin"})).json()["rule"] == "alerts.four-eyes"
    assert (await act(api, alert, "close", {"actor": "Chen"})).json()["state"] == "closed"
    whole = (await api.get(f"/api/v1/alerts/{alert}")).json()
    assert [each["act"] for each in whole["acts"]] == ["raise", "acknowledge", "verify", "dispatch", "close"]
    reader = await api.with_scopes(Scope.DOMAIN_READ)
    archive = (await reader.get(f"/api/v1/subjects/{site.subject}/archive")).json()["items"]
    assert {f"alert.{name}" for name in ("raise", "acknowledge", "verify", "dispatch", "close")} <= {
        entry["kind"] for entry in archive
    }


async def test_a_rejection_says_why(site: Site, api: Api) -> None:
    await cover(site)
    alert = await alert_id(api)
    assert (await act(api, alert, "reject")).status_code == 422
    rejected = (await act(api, alert, "reject", {"reason": "the owner's cat"})).json()
    assert (rejected["state"], rejected["closed_at"] is not None) == ("rejected", True)
    await cover(site, 20)
    assert len((await api.get("/api/v1/alerts")).json()["items"]) == 2


async def test_a_repeated_act_changes_nothing(site: Site, api: Api) -> None:
    await cover(site)
    alert = await alert_id(api)
    first = (await act(api, alert, "verify")).json()
    second = (await act(api, alert, "verify")).json()
    assert first == second
    sent = [(await act(api, alert, "dispatch")).json() for _ in range(2)]
    assert sent[0] == sent[1]
    assert len((await api.get(f"/api/v1/alerts/{alert}")).json()["acts"]) == 3


async def test_what_was_seen_may_be_required(site: Site, api: Api) -> None:
    await cover(site)
    alert = await alert_id(api)
    stale = await act(api, alert, "verify", seen='"77"')
    assert (stale.status_code, stale.json()["rule"]) == (412, "preconditions.changed")
    seen = (await api.get(f"/api/v1/alerts/{alert}")).headers["etag"]
    done = await act(api, alert, "verify", seen=seen)
    assert done.status_code == 200
    assert done.headers["etag"] != seen


async def test_a_moved_device_needs_no_verification_and_has_its_task(site: Site, api: Api) -> None:
    await drive_off(site)
    alert = await alert_id(api, "location.moved")
    (task,) = (await api.get(f"/api/v1/alerts/{alert}")).json()["tasks"]
    sent = (await act(api, alert, "dispatch")).json()
    assert (sent["state"], sent["tasks"]) == ("dispatched", [task])


async def test_an_assistant_is_not_sent_to_inspect(site: Site, api: Api) -> None:
    await cover(site)
    alert = await alert_id(api)
    await act(api, alert, "verify")
    refused = await act(api, alert, "dispatch", {"kind": "inspect"})
    assert (refused.status_code, refused.json()["rule"]) == (403, "tasks.assistants_do_not_inspect")
    assert (await api.get(f"/api/v1/alerts/{alert}")).json()["state"] == "verified"


async def test_who_may_not_act_and_what_is_not_there(site: Site, api: Api) -> None:
    await cover(site)
    alert = await alert_id(api)
    reader = await api.with_scopes(Scope.ALERTS_READ)
    assert (await act(reader, alert, "verify")).status_code == 403
    assert (await api.without_key().get("/api/v1/alerts")).status_code == 401
    assert (await act(api, str(site.subject), "verify")).json()["rule"] == "alerts.unknown"
    assert (await act(api, alert, "verify", {"reason": "x\x00"})).status_code == 422


async def test_anomalies_hide_what_was_withdrawn_unless_asked(site: Site, api: Api) -> None:
    await cover(site)
    await cover(site, 30, device="cam-2")
    rows = await site.anomalies("cam-2")
    async with site.parts.database.write() as session:
        merged = [await session.merge(row) for row in rows]
        await site.pipeline.recording.withdraw(session, merged)
    listed = (await api.get("/api/v1/anomalies")).json()["items"]
    assert [item["device"] for item in listed] == ["cam-1"]
    everything = (await api.get("/api/v1/anomalies", params={"withdrawn": "true"})).json()["items"]
    assert [(item["device"], item["withdrawn_at"] is None) for item in everything] == [
        ("cam-2", False),
        ("cam-1", True),
    ]
    expected = {
        "type": "camera.covered",
        "severity": "major",
        "subject": str(site.subject),
        "at": "2026-11-24T00:01:00Z",
    }
    assert {name: listed[0][name] for name in expected} == expected
    for filters, count in (
        ({"device": "cam-1"}, 1),
        ({"gateway": "g2"}, 0),
        ({"from": "2026-11-24T00:01:00Z", "to": "2026-11-24T00:02:00Z"}, 1),
        ({"from": "2026-11-24T00:02:00Z"}, 0),
        ({"grid": GRID, "severity": "major", "type": "camera.covered"}, 1),
    ):
        assert len((await api.get("/api/v1/anomalies", params=filters)).json()["items"]) == count, filters
