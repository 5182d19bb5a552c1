"""The legal register of a camera over HTTP, the filing with the police, and recordings that become evidence."""

import csv
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from hub.devices.model import Device
from hub.events.model import EventMessage
from hub.media import pruning
from hub.registers.duties import RULES, ZONES
from hub.storage.database import Database
from protocol.clock import ManualClock
from tests.domain_api import Domain, serving

JPEG = b"\xff\xd8\xff" + bytes(500)
CAMERA = "/devices/g1/cam-1/register"


@dataclass
class Site:
    """A shop with a camera that has seen something, and officers."""

    api: Domain
    clock: ManualClock
    subject: str
    event: UUID
    staff: tuple[str, str]
    assistant: str

    async def register(self, body: dict[str, Any], *, version: int, expected: int = 200) -> Any:
        answer = await self.api.http.put(CAMERA, json=body, headers={"If-Match": f'"{version}"'})
        assert answer.status_code == expected, answer.text
        return answer.json()

    async def picture(self) -> str:
        answer = await self.api.http.post("/media", content=JPEG, headers={"Content-Type": "image/jpeg"})
        assert answer.status_code == 201, answer.text
        sha256: str = answer.json()["sha256"]
        return sha256

    async def whole(self) -> dict[str, Any]:
        """A register that lacks nothing."""
        return {
            "purpose": "后厨食品安全",
            "basis": "食品安全法第五十五条",
            "public_place": True,
            "in_use_since": "2026-11-20",
            "review": {"on": "2026-11-20", "by": "林法制", "role": "法制机构", "legal": True, "technical": True},
            "sign": {"posted_on": "2026-11-20", "photo": await self.picture()},
            "location": {"published_on": "2026-11-21", "where": "集美区政府网站公告 2026-41"},
            "zones": dict.fromkeys(ZONES, "clear"),
            "filing": {"filed_on": "2026-11-22", "office": "集美公安分局", "number": "JM-2026-0041"},
            "retention_days": 30,
        }

    async def act(self, act: str, body: dict[str, Any], *, version: int, expected: int = 200) -> Any:
        path = f"/gateways/g1/events/{self.event}/evidence/{act}"
        headers = {"If-Match": f'"{version}"'}
        return await self.api.post(path, {"reason": "依法", **body}, expected=expected, headers=headers)


@pytest.fixture
async def site(database: Database, tmp_path: Path) -> AsyncIterator[Site]:
    clock = ManualClock(datetime(2026, 11, 25, 8, tzinfo=UTC))
    async with serving(database, clock, tmp_path) as api:
        await api.post("/gateways", {"gateway": "g1"})
        subject = (await api.post("/subjects", {"name": "=集美小厨", "address": "石鼓路 12 号"}))["id"]
        people = [
            (await api.post("/officers", {"name": name, "kind": kind, "certified": kind == "staff"}))["id"]
            for name, kind in (("陈", "staff"), ("林", "staff"), ("王", "assistant"))
        ]
        now, event = clock.now(), uuid4()
        async with database.write() as session:
            for device, driver in (("cam-1", "camera"), ("van-7", "gps.nmea")):
                session.add(
                    Device(gateway="g1", device=device, driver=driver, first_seen_at=now, subject_id=UUID(subject))
                )
            session.add(
                EventMessage(
                    gateway="g1",
                    device="cam-1",
                    event=event,
                    type="camera.covered",
                    severity="major",
                    state="began",
                    at=now,
                    received_at=now,
                    data={},
                    images=[],
                )
            )
        yield Site(api, clock, subject, event, (people[0], people[1]), people[2])


async def test_a_register_says_what_it_lacks_until_it_is_complete(site: Site) -> None:
    empty = await site.api.get(CAMERA)
    assert [each["item"] for each in empty["missing"]] == list(RULES)
    assert (empty["version"], empty["complete"]) == (0, False)
    whole = await site.whole()
    assert (await site.register({**whole, "sign": None}, version=0))["missing"][0]["item"] == "sign"
    done = await site.register(whole, version=1)
    assert (done["complete"], done["version"]) == (True, 2)
    assert (await site.api.get(CAMERA))["zones"] == dict.fromkeys(ZONES, "clear")
    await site.register(whole, version=1, expected=412)
    lines = await site.api.every(f"/subjects/{site.subject}/archive")
    assert [line["kind"] for line in lines].count("device.registered") == 2
    assert (await site.api.get("/devices/g1/cam-9/register", expected=404))["rule"] == "devices.unknown"


async def test_cameras_without_a_complete_register_are_listed(site: Site) -> None:
    async def listed(register: str) -> list[str]:
        return [each["device"] for each in await site.api.every("/devices", register=register)]

    assert await listed("incomplete") == ["cam-1"]
    whole = await site.whole()
    await site.register(whole, version=0)
    assert (await listed("incomplete"), await listed("complete")) == ([], ["cam-1"])
    await site.register({**whole, "retention_days": 7}, version=1)
    assert await listed("incomplete") == ["cam-1"]
    unfiled = await site.register({**whole, "filing": None}, version=2)
    assert (unfiled["complete"], unfiled["filing_due_on"]) == (True, "2026-12-20")
    site.clock.advance(timedelta(days=25).total_seconds())
    assert await listed("incomplete") == []
    site.clock.advance(timedelta(days=1).total_seconds())
    assert await listed("incomplete") == ["cam-1"]
    await site.register({**whole, "filing": None, "in_use_since": None}, version=3)
    assert await listed("incomplete") == ["cam-1"]


async def test_a_register_that_makes_no_sense_is_refused(site: Site) -> None:
    whole = await site.whole()
    for wrong in (
        {"zones": {"kitchen": "clear"}},
        {"zones": {"toilet": "maybe"}},
        {"in_use_since": 20261120},
        {"in_use_since": "2026-02-30"},
        {"retention_days": 0},
        {"sign": {"posted_on": "2026-11-20", "photo": "0" * 64}},
        {"made_up": True},
    ):
        await site.register({**whole, **wrong}, version=0, expected=422)
    await site.register(whole, version=0)
    assert (await site.api.http.put(CAMERA, json=whole)).status_code == 428


async def test_the_zones_are_told_with_their_article(site: Site) -> None:
    zones = await site.api.get("/registers/zones")
    assert {zone["id"] for zone in zones} == set(ZONES)
    assert {zone["article"] for zone in zones} == {"视频条例第八条"}


async def test_what_the_police_are_told_is_exported(site: Site) -> None:
    await site.register(await site.whole(), version=0)
    (line,) = (await site.api.get("/registers/filings"))["items"]
    assert (line["device"], line["address"], line["number"]) == ("cam-1", "石鼓路 12 号", "JM-2026-0041")
    answer = await site.api.http.get("/registers/filings", params={"format": "csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    (row,) = csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")))
    assert row["subject"] == "'=集美小厨"
    assert row["filed_on"] == "2026-11-22"
    await site.register({**await site.whole(), "public_place": False}, version=1)
    assert (await site.api.get("/registers/filings"))["items"] == []


async def test_a_picture_of_the_sign_is_kept_as_long_as_the_register_names_it(site: Site) -> None:
    later = site.clock.now() + timedelta(days=900)
    parts = site.api.parts
    await site.register(await site.whole(), version=0)
    assert await pruning.prune(parts.database, parts.media, later) == 0
    await site.register({**await site.whole(), "sign": None}, version=1)
    assert await pruning.prune(parts.database, parts.media, later) == 1
    for wrong, status in ((b"GIF89a", 422), (b"", 422), (b"\xff\xd8\xff" + bytes(600 * 1024), 413)):
        assert (await site.api.http.post("/media", content=wrong)).status_code == status


async def test_a_penalty_file_refuses_a_raw_recording(site: Site) -> None:
    path = f"/gateways/g1/events/{site.event}/evidence"
    assert (await site.api.get(path))["state"] == "raw"
    refused = await site.act("use", {"officer": site.staff[0], "file": "厦市监罚〔2026〕8号"}, version=0, expected=409)
    assert refused["rule"] == "evidence.unreviewed"
    assert "行政处罚法第四十一条" in refused["detail"]
    assert (await site.api.get(path))["version"] == 0


async def test_a_recording_is_reviewed_admitted_and_used(site: Site) -> None:
    chen, lin = site.staff
    passed = {"legal": True, "technical": True}
    assistant = await site.act("review", {"officer": site.assistant, **passed}, version=0, expected=409)
    assert assistant["rule"] == "evidence.not-certified"
    assert (await site.act("review", {"officer": chen, **passed}, version=0))["state"] == "reviewed"
    assert (await site.act("admit", {"officer": chen}, version=1, expected=409))["rule"] == "evidence.four-eyes"
    unregistered = await site.act("admit", {"officer": lin}, version=1, expected=409)
    assert unregistered["rule"] == "evidence.device-not-registered"
    await site.register(await site.whole(), version=0)
    await site.act("admit", {"officer": lin}, version=0, expected=412)
    assert (await site.act("admit", {"officer": lin}, version=1))["state"] == "admitted"
    file = {"officer": chen, "file": "厦市监罚〔2026〕8号"}
    used = await site.act("use", file, version=2)
    again = await site.act("use", file, version=3)
    assert used["files"] == again["files"] == [file["file"]]
    assert [(each["act"], each["officer"]) for each in again["acts"]] == [
        ("review", chen),
        ("admit", lin),
        ("use", chen),
    ]
    (listed,) = await site.api.every("/evidence", file=file["file"], state="admitted")
    assert listed["files"] == [file["file"]]
    kinds = [line["kind"] for line in await site.api.every(f"/subjects/{site.subject}/archive")]
    assert {"evidence.review", "evidence.admit", "evidence.use"} <= set(kinds)


async def test_what_did_not_pass_its_review_is_rejected_for_good(site: Site) -> None:
    chen, lin = site.staff
    rejected = await site.act("review", {"officer": chen, "legal": False, "technical": True}, version=0)
    assert rejected["state"] == "rejected"
    again = await site.act("review", {"officer": lin, "legal": True, "technical": True}, version=1, expected=409)
    assert again["rule"] == "evidence.wrong-state"
    await site.act("admit", {"officer": lin}, version=1, expected=409)
    await site.act(
        "review", {"officer": chen, "legal": True, "technical": True, "reason": " "}, version=1, expected=422
    )
    unknown = f"/gateways/g1/events/{uuid4()}/evidence"
    assert (await site.api.get(unknown, expected=404))["rule"] == "events.unknown"
