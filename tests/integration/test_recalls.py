"""A scan of a recalled batch raises an alert, whichever comes first; one alert for each subject and batch."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest
from sqlalchemy import select

from drivers.scanner import codes
from hub.anomalies.pipeline import AnomalyPipeline
from hub.ingest.deliveries import Delivery
from hub.ingest.recording import Recorder
from hub.jobs.model import Job
from hub.recalls import working
from hub.recalls.scanning import RecallWatch
from hub.storage.database import Database
from hub.telemetry.contract import Arrival
from protocol import topics
from protocol.clock import ManualClock
from protocol.codec import encode
from protocol.messages import Batch, Event, EventState, Severity
from tests.domain_api import Domain, serving

SHOP = "集美小厨"
GATEWAY = "g1"
MILK = "06901234567892"
LABEL = b"]C10106901234567892" + b"17261130" + b"10A7-26"
NOTICE = {
    "gtin": "6901234567892",
    "batch": "A7*",
    "level": 1,
    "product": "鲜牛奶 950 ml",
    "reason": "菌落总数超标",
    "article": "食品安全法 Art. 63",
    "document": "厦市监召〔2026〕12号",
    "recalled_on": "2026-11-24",
}


@dataclass
class Shop:
    """A shop with scanners, and the hub that hears them."""

    api: Domain
    recorder: Recorder
    subject: str
    batches: int = 0

    async def scan(self, label: bytes, *, scanner: str = "scanner-1", event: UUID | None = None) -> None:
        """Let a scanner of the shop report what its driver makes of a label."""
        await self.report(scanner, _built(codes.read(label)), event=event)

    async def report(self, scanner: str, data: dict[str, Any], *, event: UUID | None = None) -> None:
        now = self.api.parts.clock.now()
        record = Event(
            device=scanner,
            at=now,
            type="scanner.scan",
            severity=Severity.INFO,
            id=event or uuid4(),
            state=EventState.INSTANT,
            data=data,
        )
        self.batches += 1
        batch = Batch(id=uuid4(), gateway=GATEWAY, epoch=UUID(int=1), seq=self.batches, sent_at=now, records=(record,))
        await self.recorder.record(
            [
                Delivery(
                    gateway=GATEWAY,
                    topic=str(topics.batch(GATEWAY)),
                    payload=encode(batch),
                    received_at=now,
                    arrival=Arrival(batch, now),
                )
            ]
        )

    async def work(self) -> None:
        """Do the jobs that recalls asked for."""
        handlers = working.handlers(self.api.parts)
        async with self.api.parts.database.read() as session:
            jobs = list(await session.scalars(select(Job).where(Job.kind.in_(handlers)).order_by(Job.id)))
        for job in jobs:
            await handlers[job.kind](job)

    async def alerts(self) -> list[Any]:
        return await self.api.every("/alerts")


def _built(code: codes.Code) -> dict[str, Any]:
    built: dict[str, Any] = msgspec.to_builtins(code)
    return built


@pytest.fixture
async def shop(database: Database, tmp_path: Path) -> AsyncIterator[Shop]:
    clock = ManualClock(datetime(2026, 11, 25, 8, tzinfo=UTC))
    async with serving(database, clock, tmp_path) as api:
        subject = (await api.post("/subjects", {"name": SHOP}))["id"]
        await api.post("/gateways", {"gateway": GATEWAY})
        parts = api.parts
        pipeline = AnomalyPipeline(clock=clock, stream=parts.stream, grids=parts.grids, settings=parts.config.anomalies)
        watch = RecallWatch(clock, pipeline.recording)
        recorder = Recorder(database, parts.stream, clock, [pipeline, watch])
        shop = Shop(api, recorder, subject)
        for scanner in ("scanner-1", "scanner-2"):
            await shop.report(scanner, {"raw": "hello", "format": "text"})
            await api.patch(f"/devices/{GATEWAY}/{scanner}", {"subject": subject}, 1)
        yield shop


async def test_a_scan_of_a_recalled_batch_raises_an_alert(shop: Shop) -> None:
    await shop.api.post("/recalls", NOTICE)
    await shop.scan(LABEL)
    (alert,) = await shop.alerts()
    assert (alert["type"], alert["severity"], alert["subject"]) == ("product.recalled", "critical", shop.subject)
    assert alert["measure"] == "鲜牛奶 950 ml A7-26"
    assert alert["ended_at"] is None
    whole = await shop.api.get(f"/alerts/{alert['id']}")
    assert whole["anomalies"][0]["data"]["document"] == NOTICE["document"]
    assert len(whole["tasks"]) == 1
    kinds = [line["kind"] for line in await shop.api.every(f"/subjects/{shop.subject}/archive")]
    assert {"product.scanned", "anomaly.found", "alert.raise", "task.opened"} <= set(kinds)


async def test_a_recall_finds_what_was_scanned_before(shop: Shop) -> None:
    await shop.scan(LABEL)
    assert await shop.alerts() == []
    recall = await shop.api.post("/recalls", NOTICE)
    await shop.work()
    (alert,) = await shop.alerts()
    assert (alert["type"], alert["times_seen"]) == ("product.recalled", 1)
    assert (await shop.api.get(f"/recalls/{recall['id']}"))["scans_found"] == 1


async def test_live_and_late_agree_and_repeats_change_nothing(shop: Shop) -> None:
    await shop.api.post("/recalls", NOTICE)
    event = uuid4()
    await shop.scan(LABEL, event=event)
    await shop.scan(LABEL, event=event)
    await shop.work()
    await shop.work()
    (alert,) = await shop.alerts()
    assert alert["times_seen"] == 1
    assert len(await shop.api.every("/scans")) == 1


async def test_one_alert_for_a_batch_in_a_shop_whichever_scanner(shop: Shop) -> None:
    await shop.api.post("/recalls", NOTICE)
    await shop.scan(LABEL)
    await shop.scan(LABEL, scanner="scanner-2")
    await shop.scan(LABEL.replace(b"A7-26", b"A7-27"))
    alerts = await shop.alerts()
    assert sorted((alert["measure"][-5:], alert["times_seen"]) for alert in alerts) == [("A7-26", 2), ("A7-27", 1)]


async def test_a_code_without_a_batch_is_noted_without_an_alert(shop: Shop) -> None:
    await shop.api.post("/recalls", NOTICE)
    await shop.scan(b"6901234567892")
    assert await shop.alerts() == []
    (found,) = await shop.api.every("/anomalies")
    assert (found["type"], found["severity"]) == ("product.recall-possible", "info")


async def test_other_batches_and_products_are_left_alone(shop: Shop) -> None:
    await shop.api.post("/recalls", NOTICE)
    await shop.scan(LABEL.replace(b"A7-26", b"B7-26"))
    await shop.scan(b"(01)06901234567885(10)A7-26")
    assert await shop.api.every("/anomalies") == []


async def test_a_withdrawn_recall_takes_back_what_it_found(shop: Shop) -> None:
    recall = await shop.api.post("/recalls", NOTICE)
    await shop.scan(LABEL)
    path = f"/recalls/{recall['id']}"
    refused = await shop.api.http.post(f"{path}/withdraw", json={"reason": "误录"}, headers={"If-Match": '"7"'})
    assert refused.status_code == 412
    withdrawn = await shop.api.post(f"{path}/withdraw", {"reason": "误录"}, expected=200, headers={"If-Match": '"1"'})
    assert withdrawn["withdrawn_because"] == "误录"
    await shop.work()
    await shop.work()
    assert await shop.api.every("/anomalies") == []
    (alert,) = await shop.alerts()
    acts = (await shop.api.get(f"/alerts/{alert['id']}"))["acts"]
    assert acts[-1]["act"] == "withdraw"
    assert acts[-1]["reason"].startswith("召回已撤销")
    await shop.scan(LABEL)
    assert await shop.api.every("/anomalies") == []
    assert await shop.api.every("/recalls") == []
    assert len(await shop.api.every("/recalls", withdrawn=True)) == 1


SENSELESS: list[dict[str, Any]] = [
    {"gtin": 6901234567892},
    {"gtin": "６９０１２３４５６７８９２"},
    {"gtin": "69012345678921111111"},
    {"gtin": MILK, "batch": "x" * 65},
    {"gtin": MILK, "batch": {"a": 1}},
    {"gtin": MILK, "flaws": "none"},
    {"raw": None},
    {},
]


async def test_data_that_make_no_sense_stay_an_event_and_break_nothing(shop: Shop) -> None:
    before = len(await shop.api.every("/events"))
    for data in SENSELESS:
        await shop.report("scanner-1", data)
    assert len(await shop.api.every("/events")) == before + len(SENSELESS)
    assert await shop.api.every("/scans") == []


async def test_scans_are_found_by_product_batch_and_time(shop: Shop) -> None:
    await shop.scan(LABEL)
    await shop.scan(b"6901234567885")
    (found,) = await shop.api.every("/scans", gtin="6901234567892", batch="A7-26", subject=shop.subject)
    assert (found["gtin"], found["expiry"], found["flaws"]) == (MILK, "2026-11-30", [])
    now = shop.api.parts.clock.now()
    later = {"from": (now + timedelta(seconds=1)).isoformat()}
    assert await shop.api.every("/scans", **later) == []
    assert len(await shop.api.every("/scans", device="scanner-1")) == 2


async def test_a_list_is_imported_once_and_each_bad_line_is_told(shop: Shop) -> None:
    lines = [
        "gtin,batch,batch_from,batch_to,level,product,reason,document,recalled_on",
        "6901234567892,A7*,,,1,牛奶,超标,召1,2026-11-24",
        "6901234567885,,A1,A9,2,酸奶,超标,召1,2026-11-24",
        "6901234567885,,A9,B1,2,酸奶,超标,召1,2026-11-24",
        "no-number,,,,2,酸奶,超标,召1,2026-11-24",
        "6901234567885,,,,2,酸奶,超标,召2,someday",
        "6901234567885,,,,9,酸奶,超标,召2,2026-11-24",
    ]
    await shop.scan(LABEL)
    first = (await sent(shop, "\n".join(lines).encode())).json()
    assert (first["created"], first["known"], first["refused"]) == (2, 0, 4)
    assert [each["line"] for each in first["refused_lines"]] == [4, 5, 6, 7]
    again = (await sent(shop, "\n".join(lines).encode())).json()
    assert (again["created"], again["known"]) == (0, 2)
    await shop.work()
    assert [alert["severity"] for alert in await shop.alerts()] == ["critical"]
    assert (await sent(shop, b"\xff")).status_code == 422
    assert (await sent(shop, b"gtin\n", "text/plain")).status_code == 415


async def sent(shop: Shop, content: bytes, media_type: str = "text/csv") -> httpx.Response:
    return await shop.api.http.post("/recalls/import", content=content, headers={"Content-Type": media_type})


async def test_the_same_recall_twice_is_refused(shop: Shop) -> None:
    await shop.api.post("/recalls", NOTICE)
    refused = await shop.api.post("/recalls", NOTICE, expected=409)
    assert refused["rule"] == "recalls.exists"


async def test_an_extent_that_makes_no_sense_is_refused(shop: Shop) -> None:
    for wrong in (
        {"batch_from": "A1"},
        {"batch_from": "A1", "batch_to": "A9"},
        {"batch": None, "batch_from": "A9", "batch_to": "A1"},
        {"produced_from": "2026-11-02", "produced_to": "2026-11-01"},
        {"gtin": "12"},
        {"recalled_on": 20261124},
    ):
        await shop.api.post("/recalls", {**NOTICE, **wrong}, expected=422)
