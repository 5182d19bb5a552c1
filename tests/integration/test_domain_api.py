"""Grids, officers, roster, subjects and tasks over HTTP, on both databases."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from diwang.demo import district
from hub.organisation.repository import duties_of, on_duty
from hub.storage.database import Database
from hub.stream.model import StreamEventRow
from hub.subjects import archive
from protocol.clock import ManualClock
from tests.domain_api import Domain, post_district, serving

NOBODY = str(UUID(int=7))
HEAD = "第一段区负责人"
SHOP = "集美小厨"


@pytest.fixture
async def api(database: Database, clock: ManualClock, tmp_path: Path) -> AsyncIterator[Domain]:
    async with serving(database, clock, tmp_path) as api:
        yield api


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def ids(api: Domain) -> dict[str, str]:
    return await post_district(api)


def moved(grids: dict[str, Any], grid: str, **properties: Any) -> dict[str, Any]:
    copy: dict[str, Any] = json.loads(json.dumps(grids))
    for feature in copy["features"]:
        if feature["properties"]["id"] == grid:
            feature["properties"] |= properties
    return copy


async def test_grids_are_imported_whole_and_read_as_geojson(api: Domain, ids: dict[str, str]) -> None:
    assert ids
    read = await api.get("/grids")
    sent = {each["properties"]["id"]: each["geometry"] for each in district.grids()["features"]}
    assert {each["id"]: each["geometry"] for each in read["features"]} == sent
    assert {each["properties"]["unit"] for each in read["features"]} == {district.SEGMENT}
    one = await api.get(f"/grids/{district.PATROLLED}")
    assert one["properties"]["name"] == "石桥社区第一网格"
    await api.get("/grids/99", expected=404)


async def test_the_grid_of_a_place(api: Domain, ids: dict[str, str]) -> None:
    assert ids
    found = await api.get("/grids/at", lat=24.5660, lon=118.0990)
    assert found == {"grid": district.PATROLLED, "name": "石桥社区第一网格", "unit": district.SEGMENT}
    assert (await api.get("/grids/at", lat=0, lon=0))["grid"] is None
    await api.get("/grids/at", lat=91, lon=0, expected=422)
    await api.get("/grids/at", lat="nan", lon=0, expected=422)


async def test_an_import_keeps_versions_and_moves_subjects(
    api: Domain, ids: dict[str, str], clock: ManualClock
) -> None:
    before = clock.now()
    clock.advance(3600)
    grids = moved(district.grids(), "35021100100101", name="榕荫社区新网格")
    west, east = grids["features"][0], grids["features"][1]
    # The border between the first two grids goes; the first takes all, and the second is given up.
    ring = ["a", "b", "c", "g", "m", "f", "e", "a"]
    west["geometry"]["coordinates"] = [[list(district._CORNERS[corner]) for corner in ring]]
    grids["features"].remove(east)
    done = await api.post("/grids/import", grids, expected=200)
    assert done == {
        "added": [],
        "changed": ["35021100100101"],
        "given_up": ["35021100100102"],
        "unchanged": 4,
        "subjects_moved": 7,
    }
    assert (await api.get("/grids/at", lat=24.575, lon=118.098))["grid"] == "35021100100101"
    assert len((await api.get("/grids"))["features"]) == 5
    then = await api.get("/grids", at=before.isoformat())
    assert sorted(each["id"] for each in then["features"]) == sorted(grid for grid, _, _ in district._GRIDS)
    assert then["features"][0]["properties"]["name"] == "榕荫社区第一网格"
    assert await api.every("/subjects", grid="35021100100102", limit=3) == []
    here = await api.every("/subjects", grid="35021100100101", limit=3)
    assert len(here) == 14
    came = next(each for each in here if each["id"] == ids["榕影小厨"])
    line = (await api.get(f"/subjects/{came['id']}/archive"))["items"][0]
    assert (line["kind"], line["data"]) == (
        "subject.grid_changed",
        {"from": "35021100100102", "to": "35021100100101"},
    )
    again = await api.post("/grids/import", grids, expected=200)
    assert (again["unchanged"], again["changed"], again["subjects_moved"]) == (5, [], 0)
    back = await api.post("/grids/import", district.grids(), expected=200)
    assert (back["added"], back["changed"]) == (["35021100100102"], ["35021100100101"])
    assert (await api.get("/grids/35021100100102"))["properties"]["version"] == 3


async def test_a_bad_set_of_grids_changes_nothing(api: Domain, ids: dict[str, str]) -> None:
    assert ids
    overlapping = district.grids()
    overlapping["features"][0]["geometry"]["coordinates"][0][1] = [118.0940, 24.5812]
    refused = await api.post("/grids/import", overlapping, expected=422)
    assert refused["rule"] == "grids.overlap"
    assert "35021100100101 and 35021100100102" in refused["detail"]
    twice = district.grids()
    twice["features"].append(twice["features"][0])
    assert (await api.post("/grids/import", twice, expected=422))["rule"] == "grids.duplicate_id"
    elsewhere = district.grids() | {"crs": {"type": "name", "properties": {"name": "EPSG:4549"}}}
    assert (await api.post("/grids/import", elsewhere, expected=422))["rule"] == "grids.wrong_datum"
    unit = moved(district.grids(), "35021100100101", unit="JM/S9")
    assert (await api.post("/grids/import", unit, expected=422))["rule"] == "grids.unknown_unit"
    whole = district.grids() | {
        "district": {
            "type": "Polygon",
            "coordinates": [[[118.08, 24.55], [118.12, 24.55], [118.12, 24.59], [118.08, 24.59], [118.08, 24.55]]],
        }
    }
    assert (await api.post("/grids/import", whole, expected=422))["rule"] == "grids.gap"
    named = district.grids() | {"crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}}
    assert (await api.post("/grids/import", named, expected=200))["unchanged"] == 6


async def test_units_are_a_tree(api: Domain) -> None:
    await api.post("/org-units", {"id": "JM/S1", "name": "所"}, expected=404)
    await api.post("/org-units", {"id": "JM", "name": "局"})
    made = await api.post("/org-units", {"id": "JM/S1", "name": "所"})
    assert made == {"id": "JM/S1", "name": "所", "level": "station", "parent": "JM"}
    assert (await api.post("/org-units", {"id": "JM", "name": "又"}, expected=409))["rule"] == "org_units.taken"
    for bad in ("jm", "JM//S1", "JM/", "A/B/C/D/E/F", "局"):
        await api.post("/org-units", {"id": bad, "name": "x"}, expected=422)


async def test_an_assistant_is_never_certified(api: Domain) -> None:
    assistant = {"name": "网格员", "kind": "assistant"}
    refused = await api.post("/officers", assistant | {"certified": True}, expected=409)
    assert refused["rule"] == "officers.certified_staff_only"
    made = await api.post("/officers", assistant)
    edit = await api.patch(f"/officers/{made['id']}", {"certified": True}, 1, expected=409)
    assert edit["rule"] == "officers.certified_staff_only"
    staff = await api.patch(f"/officers/{made['id']}", {"kind": "staff", "certified": True}, 1)
    assert (staff["kind"], staff["certified"], staff["version"]) == ("staff", True, 2)
    back = await api.patch(f"/officers/{made['id']}", {"kind": "assistant"}, 2, expected=409)
    assert back["rule"] == "officers.certified_staff_only"
    await api.patch(f"/officers/{made['id']}", {"name": "x"}, 1, expected=412)


async def test_officers_of_a_unit_are_those_below_it(api: Domain) -> None:
    for unit in ("A", "A/B", "AB"):
        await api.post("/org-units", {"id": unit, "name": unit})
        await api.post("/officers", {"name": unit, "kind": "staff", "unit": unit})
    assert [each["name"] for each in await api.every("/officers", unit="A")] == ["A", "A/B"]


async def test_who_is_on_duty_holder_first(api: Domain, ids: dict[str, str], clock: ManualClock) -> None:
    now = clock.now()
    async with api.parts.database.read() as session:
        names = [each.name for each in await on_duty(session, district.PATROLLED, now)]
        assert names == [district.PATROLLER, HEAD]
        assert await on_duty(session, district.PATROLLED, now - timedelta(days=3650)) == []
        duties = await duties_of(session, UUID(ids[district.PATROLLER]), now)
        assert [each.grid_id for each in duties] == [district.PATROLLED]
        assert len(await duties_of(session, UUID(ids[HEAD]), now)) == 6


async def test_a_grid_has_one_holder_at_a_time(api: Domain, ids: dict[str, str], clock: ManualClock) -> None:
    until = clock.now() + timedelta(days=1)
    duty = {
        "officer": ids[HEAD],
        "grid": district.PATROLLED,
        "since": clock.now().isoformat(),
        "until": until.isoformat(),
    }
    assert (await api.post("/roster", duty, expected=409))["rule"] == "roster.two_holders"
    await api.post("/roster", duty | {"role": "deputy"})
    await api.post("/roster", duty | {"grid": "99"}, expected=404)
    await api.post("/roster", duty | {"officer": NOBODY}, expected=404)
    await api.post("/roster", duty | {"until": duty["since"]}, expected=422)
    before = {"since": "2025-01-01T00:00:00Z", "until": "2026-01-01T00:00:00Z"}
    await api.post("/roster", duty | before)


async def test_the_last_on_duty_is_not_removed_unless_a_deputy_stands_in(
    api: Domain, ids: dict[str, str], clock: ManualClock
) -> None:
    duties = await api.every("/roster", grid=district.PATROLLED, limit=1)
    holder, deputy = sorted(duties, key=lambda each: each["role"], reverse=True)
    await api.delete(f"/roster/{deputy['id']}")
    refused = await api.delete(f"/roster/{holder['id']}", expected=409)
    assert refused["rule"] == "roster.last_holder"
    assert district.PATROLLED in refused["detail"]
    # A deputy for half of the time is not enough; two that meet are.
    half = clock.now() + timedelta(days=100)
    stand_in = {"officer": ids[HEAD], "grid": district.PATROLLED, "role": "deputy"}
    await api.post("/roster", stand_in | {"since": clock.now().isoformat(), "until": half.isoformat()})
    refused = await api.delete(f"/roster/{holder['id']}", expected=409)
    assert str(half) in refused["detail"]
    await api.post("/roster", stand_in | {"since": half.isoformat(), "until": holder["until"]})
    clock.advance(60)
    await api.delete(f"/roster/{holder['id']}")
    assert (await api.delete(f"/roster/{holder['id']}", expected=409))["rule"] == "roster.past_duty"
    async with api.parts.database.read() as session:
        assert [each.name for each in await on_duty(session, district.PATROLLED, clock.now())] == [HEAD]


async def test_a_future_duty_is_removed_and_one_may_end_later(
    api: Domain, ids: dict[str, str], clock: ManualClock
) -> None:
    soon, later = clock.now() + timedelta(days=1), clock.now() + timedelta(days=2)
    duty = {"officer": ids[district.PATROLLER], "grid": "35021100100101", "role": "deputy"}
    future = await api.post("/roster", duty | {"since": soon.isoformat(), "until": later.isoformat()})
    await api.delete(f"/roster/{future['id']}")
    assert future["id"] not in [each["id"] for each in await api.every("/roster", grid="35021100100101")]
    lasting = await api.post("/roster", duty | {"since": clock.now().isoformat(), "until": later.isoformat()})
    await api.delete(f"/roster/{lasting['id']}", at=soon.isoformat())
    at_noon = await api.every("/roster", officer=ids[district.PATROLLER], at=(soon + timedelta(hours=1)).isoformat())
    assert [each["grid"] for each in at_noon] == [district.PATROLLED]


async def test_a_hand_over_moves_the_open_tasks_and_nothing_else(
    api: Domain, ids: dict[str, str], clock: ManualClock
) -> None:
    mine = {"kind": "patrol", "title": "巡查后巷", "grid": district.PATROLLED, "officer": ids[district.PATROLLER]}
    first, second, third = [await api.post("/tasks", mine) for _ in range(3)]
    done = {"If-Match": '"1"'}
    await api.post(f"/tasks/{second['id']}/accept", {}, expected=200, headers=done)
    await api.post(f"/tasks/{third['id']}/cancel", {"reason": "重复"}, expected=200, headers=done)
    elsewhere = await api.post("/tasks", mine | {"grid": "35021100100101"})
    (duty,) = await api.every("/roster", officer=ids[district.PATROLLER])
    clock.advance(60)
    over = await api.post(f"/roster/{duty['id']}/hand-over", {"to": ids["乙片区网格员"]})
    assert over["tasks"] == [first["id"], second["id"]]
    assert (over["by"], over["duty"]["until"]) == ("test", duty["until"])
    owners = {each["id"]: each["officer"] for each in await api.every("/tasks", limit=2)}
    new, old = ids["乙片区网格员"], ids[district.PATROLLER]
    assert owners == {first["id"]: new, second["id"]: new, third["id"]: old, elsewhere["id"]: old}
    async with api.parts.database.read() as session:
        assert [each.name for each in await on_duty(session, district.PATROLLED, clock.now())] == ["乙片区网格员", HEAD]
    again = await api.post(f"/roster/{duty['id']}/hand-over", {"to": new}, expected=409)
    assert again["rule"] == "roster.past_duty"


async def test_who_leaves_hands_the_duties_over_first(api: Domain, ids: dict[str, str]) -> None:
    refused = await api.patch(f"/officers/{ids[district.PATROLLER]}", {"active": False}, 1, expected=409)
    assert refused["rule"] == "officers.on_duty"
    (duty,) = await api.every("/roster", officer=ids[district.PATROLLER])
    await api.post(f"/roster/{duty['id']}/hand-over", {"to": ids["乙片区网格员"]})
    left = await api.patch(f"/officers/{ids[district.PATROLLER]}", {"active": False}, 1)
    assert left["active"] is False
    back = await api.post("/roster", district.roster(ids)[0], expected=409)
    assert back["rule"] == "roster.inactive_officer"


@pytest.mark.parametrize("kind", ["inspection", "Inspection", "日常检查", "檢查", "ｉｎｓｐｅｃｔ", "re-inspect"])
async def test_an_assistant_is_never_given_an_inspection(api: Domain, ids: dict[str, str], kind: str) -> None:
    task = {"kind": kind, "title": "看一看", "grid": district.PATROLLED}
    refused = await api.post("/tasks", task | {"officer": ids[district.PATROLLER]}, expected=403)
    assert refused["rule"] == "tasks.assistants_do_not_inspect"
    assert "国办发〔2024〕54号" in refused["detail"]
    await api.post("/tasks", task | {"officer": ids[HEAD]})
    nobodys = await api.post("/tasks", task)
    accept = await api.post(
        f"/tasks/{nobodys['id']}/accept",
        {"officer": ids[district.PATROLLER]},
        expected=403,
        headers={"If-Match": '"1"'},
    )
    assert accept["rule"] == "tasks.assistants_do_not_inspect"


async def test_a_task_goes_its_way_and_the_archive_tells_it(
    api: Domain, ids: dict[str, str], clock: ManualClock
) -> None:
    task = await api.post("/tasks", {"kind": "verify", "title": "核实经营状态", "subject": ids[SHOP]})
    assert (task["state"], task["grid"], task["officer"]) == ("open", "35021100100101", None)
    path = f"/tasks/{task['id']}"
    nobody = await api.post(f"{path}/accept", {}, expected=409, headers={"If-Match": '"1"'})
    assert nobody["rule"] == "tasks.no_officer"
    await api.post(f"{path}/accept", {"officer": ids[HEAD]}, expected=428)
    early = await api.post(f"{path}/complete", {"result": "在营"}, expected=409, headers={"If-Match": '"1"'})
    assert early["rule"] == "tasks.wrong_state"
    clock.advance(5)
    taken = await api.post(f"{path}/accept", {"officer": ids[HEAD]}, expected=200, headers={"If-Match": '"1"'})
    assert (taken["state"], taken["officer"], taken["version"]) == ("accepted", ids[HEAD], 2)
    await api.post(f"{path}/complete", {"result": "在营"}, expected=412, headers={"If-Match": '"1"'})
    clock.advance(5)
    done = await api.post(f"{path}/complete", {"result": "在营"}, expected=200, headers={"If-Match": '"2"'})
    assert (done["state"], done["result"], done["done_at"]) == ("done", "在营", "2026-11-24T08:00:10Z")
    late = await api.post(f"{path}/cancel", {"reason": "不要了"}, expected=409, headers={"If-Match": '"3"'})
    assert late["rule"] == "tasks.wrong_state"
    lines = await api.every(f"/subjects/{ids[SHOP]}/archive", limit=2)
    assert [line["kind"] for line in lines] == ["task.done", "task.accepted", "task.opened", "subject.registered"]
    told = await tasks_told(api)
    assert told == [(task["id"], "open"), (task["id"], "accepted"), (task["id"], "done")]


async def tasks_told(api: Domain) -> list[tuple[str, str]]:
    async with api.parts.database.read() as session:
        tasks = select(StreamEventRow).where(StreamEventRow.kind == "task")
        told = await session.scalars(tasks.order_by(StreamEventRow.id))
        return [(row.data["id"], row.data["state"]) for row in told]


async def test_tasks_are_listed_by_officer_grid_state_and_subject(api: Domain, ids: dict[str, str]) -> None:
    await api.post("/tasks", {"kind": "patrol", "title": "a", "officer": ids[HEAD]})
    await api.post("/tasks", {"kind": "patrol", "title": "b", "grid": district.PATROLLED})
    await api.post("/tasks", {"kind": "patrol", "title": "c", "subject": ids[SHOP]})
    for query, titles in (
        ({"officer": ids[HEAD]}, ["a"]),
        ({"grid": district.PATROLLED}, ["b"]),
        ({"subject": ids[SHOP]}, ["c"]),
        ({"state": "open"}, ["c", "b", "a"]),
        ({"state": "done"}, []),
    ):
        assert [each["title"] for each in await api.every("/tasks", limit=2, **query)] == titles
    await api.post("/tasks", {"kind": "patrol", "title": "x", "subject": NOBODY}, expected=404)
    await api.post("/tasks", {"kind": "patrol", "title": "x", "grid": "99"}, expected=404)


async def test_a_creation_that_is_repeated_changes_nothing(api: Domain, ids: dict[str, str]) -> None:
    assert ids
    key = {"Idempotency-Key": "once"}
    shop = {"name": "测试小店"}
    assert await api.post("/subjects", shop, headers=key) == await api.post("/subjects", shop, headers=key)
    assert len(await api.every("/subjects", q="测试小店")) == 1


async def test_a_subject_is_edited_by_who_has_seen_it(api: Domain, ids: dict[str, str], clock: ManualClock) -> None:
    path = f"/subjects/{ids[SHOP]}"
    clock.advance(10)
    edited = await api.patch(path, {"latitude": 24.5660, "longitude": 118.0990, "status": "suspended"}, 1)
    assert (edited["grid"], edited["status"], edited["version"]) == (district.PATROLLED, "suspended", 2)
    assert edited["status_at"] == "2026-11-24T08:00:10Z"
    await api.patch(path, {"name": "x"}, 1, expected=412)
    await api.patch(path, {"latitude": 24.5}, 2, expected=422)
    await api.patch(path, {"name": None}, 2, expected=422)
    same = await api.patch(path, {"status": "suspended"}, 2)
    assert same["version"] == 2
    nowhere = await api.patch(path, {"latitude": None, "longitude": None}, 2)
    assert (nowhere["grid"], nowhere["name"]) == (None, SHOP)
    newest, older, _ = await api.every(f"{path}/archive")
    assert older["summary"] == "经营状态变更: 在营 → 停业"
    assert newest["data"]["changes"]["grid_id"] == [district.PATROLLED, None]


async def test_doubtful_numbers_are_flagged_and_a_code_is_taken_once(api: Domain) -> None:
    pilot = await api.post("/subjects", {"name": "a", "uscc": "91350203m0001fue2p "})
    assert (pilot["uscc"], pilot["flags"]) == ("91350203M0001FUE2P", ["uscc_pilot"])
    taken = await api.post("/subjects", {"name": "b", "uscc": "91350203M0001FUE2P"}, expected=409)
    assert taken["rule"] == "subjects.uscc_taken"
    other = await api.post("/subjects", {"name": "b", "licence": "JY23502030023855"})
    assert other["flags"] == ["licence_check_digit"]
    edit = await api.patch(f"/subjects/{other['id']}", {"uscc": "91350203M0001FUE2P"}, 1, expected=409)
    assert edit["rule"] == "subjects.uscc_taken"


async def test_subjects_are_found_by_what_they_are(api: Domain, ids: dict[str, str]) -> None:
    assert len(await api.every("/subjects", limit=7)) == 40
    assert [each["id"] for each in await api.every("/subjects", q=SHOP)] == [ids[SHOP]]
    assert len(await api.every("/subjects", q="示范路 1 号")) == 1
    assert await api.every("/subjects", q="%") == []
    bakers = await api.every("/subjects", category="food_production", grid=district.PATROLLED)
    assert {each["category"] for each in bakers} == {"food_production"}
    assert await api.every("/subjects", status="closed") == []
    await api.get(f"/subjects/{NOBODY}", expected=404)
    await api.get(f"/subjects/{NOBODY}/archive", expected=404)


async def test_an_archive_line_is_written_once(api: Domain, ids: dict[str, str], clock: ManualClock) -> None:
    line: dict[str, Any] = {
        "at": clock.now() - timedelta(days=1),
        "kind": "alert.raised",
        "summary": "挡住了",
        "ref": "a1",
    }
    async with api.parts.database.write() as session:
        assert await archive.append(session, clock, UUID(ids[SHOP]), **line)
        assert not await archive.append(session, clock, UUID(ids[SHOP]), **line | {"summary": "又挡住了"})
    newest, oldest = await api.every(f"/subjects/{ids[SHOP]}/archive", limit=1)
    assert (newest["kind"], oldest["kind"], oldest["summary"]) == ("subject.registered", "alert.raised", "挡住了")


async def test_a_file_of_subjects_is_taken_line_by_line(api: Domain, ids: dict[str, str]) -> None:
    assert ids
    lines = [
        '{"name": "一号店", "uscc": "91350203M0001FUE2P", "latitude": 24.566, "longitude": 118.099}',
        "",
        '{"name": "二号店", "latitude": 24.566}',
        '{"name": "三号店", "uscc": "91350203M0001FUE2P"}',
        "not json",
        '{"name": "四号店"}',
    ]
    headers = {"content-type": "application/x-ndjson"}
    answer = await api.http.post("/subjects/import", content="\r\n".join(lines).encode(), headers=headers)
    done = answer.json()
    assert {name: done[name] for name in ("created", "known", "refused", "flagged", "without_grid")} == {
        "created": 2,
        "known": 0,
        "refused": 3,
        "flagged": 1,
        "without_grid": 1,
    }
    assert [each["line"] for each in done["refused_lines"]] == [3, 4, 5]
    assert done["refused_lines"][1]["detail"] == "uscc: the same as in line 1"
    sheet = "\ufeffname,uscc,latitude,longitude\n又一号店,91350203M0001FUE2P,,\n五号店,,24.566,118.099\n六号店,,,,多\n"
    answer = await api.http.post("/subjects/import", content=sheet.encode(), headers={"content-type": "text/csv"})
    done = answer.json()
    assert (done["created"], done["known"], done["refused"]) == (1, 1, 1)
    assert (await api.every("/subjects", q="五号店"))[0]["grid"] == district.PATROLLED


@pytest.mark.parametrize(
    ("content", "media_type", "status", "rule"),
    [
        (b"{}", "application/json", 415, "subjects.import_type"),
        ("名称\n".encode("gb18030"), "text/csv", 422, "subjects.not_utf8"),
        (b'name\n"a', "text/csv", 422, "subjects.not_csv"),
        (b"\n" * 100_001, "application/x-ndjson", 422, "subjects.too_many_lines"),
    ],
)
async def test_a_file_that_is_none_is_refused(
    api: Domain, content: bytes, media_type: str, status: int, rule: str
) -> None:
    answer = await api.http.post("/subjects/import", content=content, headers={"content-type": media_type})
    assert (answer.status_code, answer.json()["rule"]) == (status, rule)


async def test_a_file_that_is_too_large_is_refused(api: Domain) -> None:
    headers = {"content-type": "application/x-ndjson"}
    answer = await api.http.post("/subjects/import", content=b" " * (32 * 1024 * 1024 + 1), headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")
    assert (await api.get("/subjects"))["items"] == []


async def test_a_district_of_subjects_is_taken_at_once(api: Domain, ids: dict[str, str]) -> None:
    """As many food and drug businesses as the whole of Jimei has."""
    assert ids
    lines = [
        json.dumps({"name": f"店 {n}", "latitude": 24.5605 + n % 97 * 2e-4, "longitude": 118.0857 + n % 89 * 3e-4})
        for n in range(23_670)
    ]
    headers = {"content-type": "application/x-ndjson"}
    answer = await api.http.post("/subjects/import", content="\n".join(lines).encode(), headers=headers)
    assert answer.json().get("created") == 23_670, answer.text[:500]
