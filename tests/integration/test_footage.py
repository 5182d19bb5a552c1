"""Footage: seen only for a reason, linked to whose it is, kept as long as it must be, deleted with a proof of it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from hub.accounts.scopes import Scope
from hub.custody import documents
from hub.custody.verifying import Outcome, Trust, verdict
from hub.devices.model import Device
from hub.footage.deleting import delete_overdue
from hub.footage.hearing import FootageHearing
from hub.footage.pairing import pair
from hub.footage.verifying import verify_document
from hub.storage.database import Database
from hub.telemetry.contract import Arrival
from protocol.clock import ManualClock
from protocol.messages import Batch, Event, EventState, Position, Severity
from tests.domain_api import Domain, post_district, serving
from tests.footage import Clip, Tus
from tests.serving import Api

CLIP = Clip.of(100_000)
WHY = {"reason": "投诉核查", "content": "后厨画面", "unit": "第一监管所", "name": "林某"}
DAY_S = 86_400


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 11, 24, 8, tzinfo=UTC))


@pytest.fixture
async def api(database: Database, clock: ManualClock, tmp_path: Path) -> AsyncIterator[Domain]:
    async with serving(database, clock, tmp_path) as domain:
        yield domain


async def kept(api: Domain, clip: Clip = CLIP, **metadata: str) -> str:
    """Upload a clip; return the id of its footage."""
    await Tus(api.http, "http://hub/api/v1").kept(clip, **metadata)
    return next(str(item["id"]) for item in await api.every("/footage") if item["sha256"] == clip.sha256)


async def tell(api: Domain, clip: Clip = CLIP, *, device: str = "recorder-1", **facts: Any) -> None:
    """Let a gateway tell of a clip, as recorders do."""
    now = api.parts.clock.now()
    event = Event(
        device=device,
        at=now,
        type="recorder.clip",
        severity=Severity.INFO,
        id=uuid4(),
        state=EventState.INSTANT,
        data={"sha256": clip.sha256} | facts,
    )
    batch = Batch(id=uuid4(), gateway="g1", epoch=UUID(int=1), seq=1, sent_at=now, records=(event,))
    async with api.parts.database.write() as session:
        await FootageHearing(api.parts.clock).take(session, [Arrival(batch, now)])


async def history(api: Domain, clip: Clip = CLIP) -> list[str]:
    return [entry["kind"] for entry in await api.every("/custody/entries", item=clip.sha256)]


async def test_nothing_is_seen_without_a_reason(api: Domain, clock: ManualClock) -> None:
    footage = await kept(api)
    refused = await api.get(f"/footage/{footage}/content", expected=403)
    assert refused["rule"] == "footage.reason_required"
    for missing in WHY:
        await api.post(f"/footage/{footage}/viewings", {k: v for k, v in WHY.items() if k != missing}, expected=422)
    viewing = await api.post(f"/footage/{footage}/viewings", WHY)
    answer = await api.http.get(f"http://hub{viewing['url']}")
    assert (answer.status_code, answer.content) == (200, CLIP.payload)
    assert answer.headers["ETag"] == f'"{CLIP.sha256}"'
    assert answer.headers["Cache-Control"] == "no-store"
    register = await api.every(f"/footage/{footage}/viewings")
    assert [{name: each[name] for name in WHY} for each in register] == [WHY]
    assert await history(api) == ["footage.received", "footage.viewed"]
    other = await Api(api.http.app, api.http.key).with_scopes(Scope.FOOTAGE_VIEW)
    assert (await other.get(viewing["url"])).status_code == 403
    clock.advance(61 * 60)
    assert (await api.http.get(f"http://hub{viewing['url']}")).status_code == 403


async def test_a_viewing_is_of_one_clip(api: Domain) -> None:
    first, second = await kept(api), await kept(api, Clip.of(50, seed=2))
    viewing = await api.post(f"/footage/{first}/viewings", WHY)
    await api.get(f"/footage/{second}/content", expected=403, viewing=viewing["id"])
    await api.get(f"/footage/{uuid4()}/content", expected=404, viewing=viewing["id"])


async def test_a_clip_is_played_by_ranges(api: Domain) -> None:
    footage = await kept(api)
    url = "http://hub" + (await api.post(f"/footage/{footage}/viewings", WHY))["url"]
    part = await api.http.get(url, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, CLIP.payload[10:20])
    assert part.headers["Content-Range"] == f"bytes 10-19/{len(CLIP.payload)}"
    tail = await api.http.get(url, headers={"Range": "bytes=-5"})
    assert tail.content == CLIP.payload[-5:]
    stale = await api.http.get(url, headers={"Range": "bytes=0-1", "If-Range": '"other"'})
    assert stale.status_code == 200
    assert (await api.http.get(url, headers={"Range": f"bytes={10**9}-"})).status_code == 416


async def test_lost_bytes_are_told_and_not_made_up(api: Domain) -> None:
    footage = await kept(api)
    url = "http://hub" + (await api.post(f"/footage/{footage}/viewings", WHY))["url"]
    api.parts.footage.remove(CLIP.sha256)
    assert (await api.http.get(url)).status_code == 503


async def test_what_a_recorder_told_of_is_expected_until_it_comes(api: Domain) -> None:
    await tell(
        api,
        file_name="ZF01_000001_20261124.mp4",
        began_at="2026-11-24T07:00:00Z",
        ended_at="2026-11-24T07:10:00Z",
        playable=False,
        codec="h264",
    )
    (item,) = await api.every("/footage", state="expected")
    assert (item["gateway"], item["device"], item["playable"]) == ("g1", "recorder-1", False)
    assert (item["name"], item["began_at"]) == ("ZF01_000001_20261124.mp4", "2026-11-24T07:00:00Z")
    assert (await api.post(f"/footage/{item['id']}/viewings", WHY, expected=409))["rule"] == "footage.expected"
    assert (await api.get(f"/footage/{item['id']}/custody", expected=404))["rule"] == "footage.no_history"
    assert await kept(api) == item["id"]
    assert await api.every("/footage", state="expected") == []
    (item,) = await api.every("/footage", playable=False)
    assert (item["state"], item["facts"]["codec"], item["sm3"]) == ("kept", "h264", CLIP.sm3)


async def test_the_word_may_come_after_the_bytes_and_twice(api: Domain) -> None:
    footage = await kept(api, began_at="2026-11-24T07:00:01Z", ended_at="2026-11-24T07:10:01Z")
    for _ in range(2):
        await tell(api, began_at="2026-11-24T07:00:00Z", ended_at="2026-11-24T07:10:00Z", playable=True)
    item = await api.get(f"/footage/{footage}")
    assert (item["state"], item["playable"], item["began_at"]) == ("kept", True, "2026-11-24T07:00:00Z")
    assert len(await api.every("/footage")) == 1


async def test_hostile_words_make_no_footage(api: Domain) -> None:
    bad: list[dict[str, Any]] = [
        {"sha256": "0" * 63},
        {"sha256": 5},
        {"sha256": ["0" * 64]},
        {"sha256": CLIP.sha256.upper()},
    ]
    for facts in bad:
        await tell(api, **facts)
    assert await api.every("/footage") == []
    await tell(
        api, file_name="a\x07\n" + "长" * 400, began_at="9999-12-31T23:59:59-12:00", ended_at=7, claimed_officer={}
    )
    (item,) = await api.every("/footage")
    assert len(item["name"]) == 255
    assert item["began_at"] is None


async def test_people_link_what_machines_cannot(api: Domain) -> None:
    ids = await post_district(api)
    officer, subject = ids["林晓梅"] if "林晓梅" in ids else next(iter(ids.values())), ids["集美小厨"]
    await tell(api, claimed_officer="000123", claimed_unit="ZF01")
    (item,) = await api.every("/footage")
    body = {"officer": officer, "subject": subject, "category": "case"}
    assert (await api.http.patch(f"/footage/{item['id']}", json=body)).status_code == 428
    await api.patch(f"/footage/{item['id']}", body, 99, expected=412)
    edited = await api.patch(f"/footage/{item['id']}", body, item["version"])
    assert (edited["officer"], edited["officer_by"], edited["subject_by"]) == (officer, "person", "person")
    assert edited["category"] == "case"
    await api.patch(f"/footage/{item['id']}", {"task": str(uuid4())}, edited["version"], expected=404)
    archive = await api.every(f"/subjects/{subject}/archive")
    assert [entry["ref"] for entry in archive if entry["kind"] == "footage.linked"] == [item["id"]]
    assert await history(api) == ["footage.linked"]
    await paired(api, item["id"])
    assert (await api.get(f"/footage/{item['id']}"))["officer"] == officer
    await tell(api, Clip.of(9, seed=3), claimed_officer="000123")
    await tell(api, Clip.of(90, seed=4), claimed_unit="ZF01")
    await tell(api, Clip.of(90, seed=5), claimed_unit="ZF02")
    for other in await api.every("/footage"):
        await paired(api, other["id"])
    assert sorted(each["officer_by"] for each in await api.every("/footage")) == ["", "claim", "claim", "person"]


async def paired(api: Domain, footage: str) -> dict[str, Any]:
    """Do what the job does; return the footage."""
    await pair(api.parts.database, api.parts.telemetry, api.parts.clock, UUID(footage))
    found: dict[str, Any] = await api.get(f"/footage/{footage}")
    return found


async def carrying(api: Domain, officer: str) -> None:
    """Register a gateway with a recorder and a GPS unit that an officer carries."""
    await api.post("/gateways", {"gateway": "g1"})
    for device in ("recorder-1", "gps-1"):
        async with api.parts.database.write() as session:
            session.add(
                Device(
                    gateway="g1",
                    device=device,
                    first_seen_at=api.parts.clock.now(),
                    officer_id=UUID(officer),
                    version=1,
                )
            )


async def test_a_clip_finds_its_officer_its_grid_and_the_shop_of_the_track(api: Domain) -> None:
    ids = await post_district(api)
    duty = (await api.every("/roster"))[0]
    await carrying(api, duty["officer"])
    shop = next(each for each in await api.every("/subjects") if each["name"] == "集美小厨")
    records = tuple(
        Position(
            device="gps-1",
            at=datetime(2026, 11, 24, 7, minute, tzinfo=UTC),
            latitude=shop["latitude"] + 0.0002,
            longitude=shop["longitude"],
        )
        for minute in range(1, 8)
    )
    now = api.parts.clock.now()
    batch = Batch(id=uuid4(), gateway="g1", epoch=UUID(int=1), seq=1, sent_at=now, records=records)
    await api.parts.telemetry.commit([Arrival(batch, now)])
    await tell(api, began_at="2026-11-24T07:00:00Z", ended_at="2026-11-24T07:10:00Z")
    (item,) = await api.every("/footage")
    item = await paired(api, item["id"])
    assert (item["officer"], item["officer_by"]) == (duty["officer"], "device")
    assert item["grid"] is not None
    assert (item["subject"], item["subject_by"]) == (ids["集美小厨"], "track")
    again = await paired(api, item["id"])
    assert again["version"] == item["version"]
    asked: dict[str, Any] = {"from": "2026-11-24T06:55:00Z", "to": "2026-11-24T07:15:00Z"}
    covered = await api.get("/footage-coverage", officer=duty["officer"], **asked)
    assert {each["percent"] for each in covered["items"]} == {50.0}
    assert covered["items"][0]["gaps"] == [
        {"from": "2026-11-24T06:55:00Z", "to": "2026-11-24T07:00:00Z"},
        {"from": "2026-11-24T07:10:00Z", "to": "2026-11-24T07:15:00Z"},
    ]


async def test_a_task_that_was_done_meanwhile_says_where(api: Domain, clock: ManualClock) -> None:
    ids = await post_district(api)
    duty = (await api.every("/roster"))[0]
    await carrying(api, duty["officer"])
    body = {"kind": "verify", "title": "核实", "officer": duty["officer"], "subject": ids["集美小厨"]}
    task = await api.post("/tasks", body)
    began = clock.now()
    clock.advance(600)
    for version, act in ((task["version"], "accept"), (task["version"] + 1, "complete")):
        answer = await api.http.post(f"/tasks/{task['id']}/{act}", json={}, headers={"If-Match": f'"{version}"'})
        assert answer.status_code == 200, answer.text
    await tell(api, began_at=began.isoformat(), ended_at=(began + timedelta(minutes=8)).isoformat())
    (item,) = await api.every("/footage")
    item = await paired(api, item["id"])
    assert (item["task"], item["subject"], item["subject_by"]) == (task["id"], ids["集美小厨"], "task")
    assert [each["id"] for each in await api.every("/footage", task=task["id"])] == [item["id"]]


async def retain(api: Domain) -> int:
    parts = api.parts
    return await delete_overdue(parts.database, parts.footage, parts.clock, parts.custody, parts.config.footage)


async def test_footage_goes_when_its_time_is_over_and_leaves_a_certificate(api: Domain, clock: ManualClock) -> None:
    footage = await kept(api)
    item = await api.get(f"/footage/{footage}")
    assert item["keep_until"] == (clock.now() + timedelta(days=180)).isoformat().replace("+00:00", "Z")
    clock.advance(179 * DAY_S)
    assert await retain(api) == 0
    await api.get(f"/footage/{footage}/deletion-certificate", expected=404)
    clock.advance(2 * DAY_S)
    assert await retain(api) == 1
    assert await retain(api) == 0
    assert api.parts.footage.size(CLIP.sha256) is None
    item = await api.get(f"/footage/{footage}")
    assert (item["state"], item["keep_until"]) == ("deleted", None)
    assert await history(api) == ["footage.received", "footage.deleted"]
    certificate = await api.http.get(f"/footage/{footage}/deletion-certificate")
    findings = list(verify_document(certificate.content, Trust(api.parts.custody.verifier)))
    assert verdict(findings) is Outcome.OPEN
    assert {each.word for each in findings if each.outcome is Outcome.OPEN} == {"stamp_missing"}
    assert any(each.word == "deleted" for each in findings)
    assert (await api.post(f"/footage/{footage}/viewings", WHY, expected=409))["rule"] == "footage.deleted"
    again = await Tus(api.http, "http://hub/api/v1").create(CLIP)
    assert again.headers["Upload-Footage"] == CLIP.sha256


async def test_a_hold_outlasts_every_term(api: Domain, clock: ManualClock) -> None:
    footage = await kept(api)
    hold = await api.post(f"/footage/{footage}/holds", {"reason": "行政复议", "name": "陈某"})
    second = await api.post(f"/footage/{footage}/holds", {"reason": "诉讼", "name": "陈某"})
    clock.advance(9_999 * DAY_S)
    assert await retain(api) == 0
    assert (await api.get(f"/footage/{footage}"))["held"] is True
    assert [item["held"] for item in await api.every("/footage")] == [True]
    lift = {"reason": "结案", "name": "王某"}
    await api.post(f"/footage/{footage}/holds/{hold['id']}/lift", lift, expected=200)
    assert await retain(api) == 0
    lifted = await api.post(f"/footage/{footage}/holds/{second['id']}/lift", lift, expected=200)
    assert (lifted["lifted_reason"], lifted["lifted_name"]) == ("结案", "王某")
    again = await api.post(f"/footage/{footage}/holds/{second['id']}/lift", lift, expected=409)
    assert again["rule"] == "footage.hold_lifted"
    assert await retain(api) == 1
    kinds = ["footage.received", "footage.held", "footage.held", "footage.released", "footage.released"]
    assert await history(api) == [*kinds, "footage.deleted"]
    await api.post(f"/footage/{footage}/holds", lift, expected=409)
    assert len(await api.every(f"/footage/{footage}/holds")) == 2


async def test_every_category_has_its_term_and_its_article(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    async with serving(database, clock, tmp_path, {"footage": {"keep_days": {"ordinary": 365}}}) as api:
        days = {each["id"]: each["days"] for each in (await api.get("/footage-categories"))["items"]}
        assert days == {"public_video": 30, "ordinary": 365, "case": 3_650}
        assert all(each["article"] for each in (await api.get("/footage-categories"))["items"])
        footage = await kept(api)
        clock.advance(366 * DAY_S)
        await api.patch(f"/footage/{footage}", {"category": "case"}, (await api.get(f"/footage/{footage}"))["version"])
        assert await retain(api) == 0


async def test_a_crash_between_the_bytes_and_the_word_is_mended(api: Domain, clock: ManualClock) -> None:
    footage = await kept(api)
    clock.advance(181 * DAY_S)
    api.parts.footage.remove(CLIP.sha256)
    assert await retain(api) == 1
    assert (await api.get(f"/footage/{footage}"))["state"] == "deleted"


async def test_the_log_proves_itself_over_http(api: Domain) -> None:
    for seed in range(1, 8):
        await kept(api, Clip.of(100 + seed, seed))
    log = await api.get("/custody")
    assert log["entries"] == 7
    assert log["key"].startswith(log["name"])
    proof = await api.get("/custody/entries/3/inclusion", size=6)
    assert len(proof["path"]) == 3
    assert len((await api.get("/custody/consistency", first=3))["path"]) == 4
    await api.get("/custody/entries/7/inclusion", expected=404)
    await api.get("/custody/entries/3/inclusion", expected=404, size=3)
    await api.get("/custody/entries/3/inclusion", expected=404, size=8)
    await api.get("/custody/consistency", expected=404, first=8)
    footage = (await api.every("/footage"))[0]
    document = documents.read((await api.http.get(f"/footage/{footage['id']}/custody")).content)
    assert document.key == log["key"]
    (checkpoint,) = await api.every("/custody/checkpoints")
    assert (checkpoint["size"], checkpoint["note"]) == (7, document.checkpoint)
    assert (await api.get("/custody"))["checkpoint"] == document.checkpoint
