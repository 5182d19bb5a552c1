"""Kiosks: set up, heard, lost and back; looking up what is public; a complaint and its receipt number, to the desk."""

import base64
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from hub.accounts.scopes import Scope
from hub.complaints.receipts import is_receipt, new_receipt
from hub.devices.model import Device
from hub.jobs.model import Job
from hub.kiosks import watching
from hub.kiosks.watching import WATCH
from hub.media import pruning
from hub.storage.database import Database
from protocol.clock import ManualClock
from tests.domain_api import Domain, post_district, serving
from tests.serving import Api

SHOP = "集美小厨"
KIOSK = {"gateway": "g1", "device": "kiosk-1", "name": "浒井社区", "place": "一楼大厅"}
COMPLAINT = {
    "kind": "complaint",
    "what": "外卖里有头发",
    "place": "石鼓路 12 号",
    "person": "陈先生",
    "phone": "13800000000",
}
JPEG = b"\xff\xd8\xff" + bytes(2000)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 11, 25, 8, tzinfo=UTC))


@pytest.fixture
async def hub(database: Database, clock: ManualClock, tmp_path: Path) -> AsyncIterator[Domain]:
    async with serving(database, clock, tmp_path) as api:
        await api.post("/gateways", {"gateway": "g1"})
        yield api


def page(hub: Domain, key: str) -> Domain:
    """The page of a kiosk: a client with its key."""
    http = Api(hub.http.app, key)
    http.base_url = hub.http.base_url
    return Domain(http, hub.parts)


async def look(hub: Domain) -> None:
    """Do the job that looks for silent kiosks."""
    await watching.handlers(hub.parts)[WATCH](Job())


async def test_a_kiosk_is_heard_lost_and_back(hub: Domain, clock: ManualClock) -> None:
    made = await hub.post("/kiosks", KIOSK)
    kiosk = page(hub, made["key"])
    assert await kiosk.get("/kiosk") == {"name": KIOSK["name"], "place": KIOSK["place"]}
    assert (await kiosk.post("/kiosk/heartbeat", {"page": "1"}, expected=200))["page"]
    await look(hub)

    async def status() -> tuple[str, str, list[Any]]:
        (each,) = await hub.every("/kiosks")
        device = await hub.get("/devices/g1/kiosk-1")
        open_alerts = [alert for alert in await hub.every("/alerts") if alert["ended_at"] is None]
        return each["status"], device["status"], [alert["type"] for alert in open_alerts]

    assert await status() == ("ok", "ok", [])
    clock.advance(91)
    await look(hub)
    await look(hub)
    assert await status() == ("lost", "lost", ["terminal.silent"])
    (anomaly,) = await hub.every("/anomalies")
    assert datetime.fromisoformat(anomaly["at"]) == clock.now() - timedelta(seconds=91)
    await kiosk.post("/kiosk/heartbeat", {"page": "1"}, expected=200)
    assert await status() == ("ok", "ok", [])
    (alert,) = await hub.every("/alerts")
    assert alert["times_seen"] == 1


async def test_a_kiosk_that_was_never_opened_or_is_retired_is_not_lost(hub: Domain, clock: ManualClock) -> None:
    made = await hub.post("/kiosks", KIOSK)
    clock.advance(1_000)
    await look(hub)
    await page(hub, made["key"]).post("/kiosk/heartbeat", {"page": "1"}, expected=200)
    retired = await hub.post(f"/kiosks/{made['id']}/retire", {}, expected=200)
    assert retired["status"] == "retired"
    clock.advance(1_000)
    await look(hub)
    assert await hub.every("/alerts") == []
    await page(hub, made["key"]).post("/kiosk/heartbeat", {"page": "1"}, expected=401)


async def test_a_box_that_drives_its_browser_says_more_of_it_than_the_page(hub: Domain) -> None:
    made = await hub.post("/kiosks", KIOSK)
    async with hub.parts.database.write() as session:
        row = await session.get(Device, ("g1", "kiosk-1"))
        assert row is not None
        row.driver, row.status = "terminal.kiosk", "degraded"
    await page(hub, made["key"]).post("/kiosk/heartbeat", {"page": "1"}, expected=200)
    assert (await hub.get("/devices/g1/kiosk-1"))["status"] == "degraded"


async def test_a_kiosk_has_one_key_and_it_does_nothing_else(hub: Domain) -> None:
    made = await hub.post("/kiosks", KIOSK)
    assert (await hub.post("/kiosks", KIOSK, expected=409))["rule"] == "kiosks.exists"
    assert (await hub.post("/kiosks", {**KIOSK, "gateway": "g2"}, expected=422))["rule"] == "kiosks.unknown_gateway"
    kiosk = page(hub, made["key"])
    for path in ("/subjects", "/complaints", "/devices", "/telemetry/last", "/kiosks", "/media/" + "0" * 64):
        await kiosk.get(path, expected=403)
    renewed = await hub.post(f"/kiosks/{made['id']}/key", {})
    await kiosk.get("/kiosk", expected=401)
    assert (await page(hub, renewed["key"]).get("/kiosk"))["name"] == KIOSK["name"]
    assert "key" not in (await hub.every("/kiosks"))[0]
    assert (await hub.get("/kiosk", expected=404))["rule"] == "kiosks.not_a_kiosk"
    await hub.post(f"/kiosks/{made['id']}/retire", {}, expected=200)
    assert (await hub.post(f"/kiosks/{made['id']}/key", {}, expected=409))["rule"] == "kiosks.retired"
    again = await hub.post("/kiosks", KIOSK)
    assert again["id"] == made["id"]


async def test_only_what_is_public_is_shown(hub: Domain) -> None:
    ids = await post_district(hub)
    await hub.post("/subjects", {"name": "集美候选铺", "status": "candidate"})
    kiosk = page(hub, (await hub.post("/kiosks", KIOSK))["key"])
    found = await kiosk.get("/kiosk/subjects", q=SHOP)
    assert [each["id"] for each in found["items"]] == [ids[SHOP]]
    assert found["items"][0].keys() == {"id", "name", "address", "category", "licence", "status", "status_at"}
    assert (await kiosk.get("/kiosk/subjects", q="候选铺"))["items"] == []
    assert (await kiosk.get("/kiosk/subjects", q="%_"))["items"] == []
    await kiosk.get("/kiosk/subjects", q="集", expected=422)


async def test_a_complaint_reaches_the_desk_with_its_receipt_number(hub: Domain) -> None:
    ids = await post_district(hub)
    kiosk = page(hub, (await hub.post("/kiosks", KIOSK))["key"])
    body = {**COMPLAINT, "subject": ids[SHOP], "photo": base64.b64encode(JPEG).decode()}
    receipt = await kiosk.post("/kiosk/complaints", body, headers={"Idempotency-Key": "one"})
    again = await kiosk.post("/kiosk/complaints", body, headers={"Idempotency-Key": "one"})
    assert again == receipt
    assert is_receipt(receipt["receipt"])
    assert receipt["receipt"].startswith("261125-")
    assert drawn(receipt["qr"]) == receipt["receipt"]
    (waiting,) = await hub.every("/complaints", state="received")
    assert (waiting["receipt"], waiting["subject"], waiting["named"]) == (receipt["receipt"], ids[SHOP], True)
    assert COMPLAINT["person"] not in str(waiting)
    picture = await hub.http.get(f"/media/{waiting['photo']}")
    assert picture.content == JPEG
    assert await pruning.prune(hub.parts.database, hub.parts.media, hub.parts.clock.now() + timedelta(days=900)) == 0
    lines = await hub.every(f"/subjects/{ids[SHOP]}/archive")
    assert lines[0]["kind"] == "complaint.received"
    assert COMPLAINT["what"] not in str(lines)


def drawn(svg: str) -> str:
    """Read a QR code from its SVG: lines of dark modules, as `segno` draws them."""
    size = int(re.findall(r'viewBox="0 0 (\d+)', svg)[0]) if "viewBox" in svg else 0
    size = size or int(re.findall(r'width="(\d+)"', svg)[0]) // 6
    picture = Image.new("L", (size * 8, size * 8), 255)
    draw = ImageDraw.Draw(picture)
    x, y = 0.0, 0.0
    for command, numbers in re.findall(r"([Mmh])([-0-9. ]+)", re.findall(r'class="qrline"[^>]* d="([^"]+)"', svg)[0]):
        values = [float(each) for each in re.findall(r"-?[0-9.]+", numbers)]
        if command == "M":
            x, y = values
        elif command == "m":
            x, y = x + values[0], y + values[1]
        else:
            draw.rectangle((x * 8, (y - 0.5) * 8, (x + values[0]) * 8 - 1, (y + 0.5) * 8 - 1), fill=0)
            x += values[0]
    return zxingcpp.read_barcodes(picture)[0].text


async def test_a_complaint_that_makes_no_sense_is_refused(hub: Domain) -> None:
    kiosk = page(hub, (await hub.post("/kiosks", KIOSK))["key"])
    unknown = "0190b0a0-0000-7000-8000-000000000000"
    for wrong in (
        {"what": "   "},
        {"place": ""},
        {"kind": "praise"},
        {"phone": "call me"},
        {"photo": base64.b64encode(b"GIF89a").decode()},
        {"photo": base64.b64encode(b"\xff\xd8\xff" + bytes(512 * 1024)).decode()},
        {"photo": "not base64!"},
        {"subject": unknown},
        {"what": "x" * 2001},
    ):
        await kiosk.post("/kiosk/complaints", {**COMPLAINT, **wrong}, expected=422)
    assert await hub.every("/complaints") == []
    await kiosk.post("/kiosk/complaints", {"kind": "suggestion", "what": "谢谢"})


async def test_a_complaint_is_sorted_once_by_who_has_seen_it(hub: Domain) -> None:
    kiosk = page(hub, (await hub.post("/kiosks", KIOSK))["key"])
    receipt = await kiosk.post("/kiosk/complaints", COMPLAINT)
    (waiting,) = await hub.every("/complaints", receipt=receipt["receipt"])
    path = f"/complaints/{waiting['id']}/sort"

    async def sort(body: dict[str, Any], etag: str, expected: int) -> Any:
        return await hub.post(path, body, expected=expected, headers={"If-Match": etag})

    await sort({"outcome": "refused"}, '"1"', 422)
    await sort({"outcome": "accepted"}, '"2"', 412)
    assert (await sort({"outcome": "refused", "note": "不属于市场监管职责"}, '"1"', 200))["state"] == "refused"
    assert (await sort({"outcome": "accepted"}, '"2"', 409))["rule"] == "complaints.sorted"
    assert await hub.every("/complaints", state="received") == []


async def test_who_complained_is_seen_only_for_a_reason_that_is_kept(hub: Domain) -> None:
    kiosk = page(hub, (await hub.post("/kiosks", KIOSK))["key"])
    await kiosk.post("/kiosk/complaints", COMPLAINT)
    (waiting,) = await hub.every("/complaints")
    path = f"/complaints/{waiting['id']}/reporter"
    await hub.post(path, {"reason": "  "}, expected=422)
    reader = await hub.http.with_scopes(Scope.COMPLAINTS_READ)
    assert (await reader.post(f"/api/v1{path}", json={"reason": "好奇"})).status_code == 403
    await hub.post(path, {"reason": "回访"}, expected=200)
    seen = await hub.post(path, {"reason": "调解"}, expected=200)
    assert (seen["person"], seen["phone"]) == (COMPLAINT["person"], COMPLAINT["phone"])
    assert [each["reason"] for each in seen["viewings"]] == ["回访", "调解"]


@given(
    st.integers(0, 26_000),
    st.integers(0, 10),
    st.integers(1, 9),
)
def test_a_slip_of_the_pen_is_found(day: int, place: int, change: int) -> None:
    receipt = new_receipt(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day))
    assert is_receipt(receipt)
    digits = [index for index, character in enumerate(receipt) if character.isdigit()]
    index = digits[place]
    slipped = receipt[:index] + str((int(receipt[index]) + change) % 10) + receipt[index + 1 :]
    assert not is_receipt(slipped)
