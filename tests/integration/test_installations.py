"""Installing a box over HTTP: whose and where, the trial, the findings, the certificate and its verification."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from hub.accounts.scopes import Scope
from hub.anomalies.pipeline import AnomalyPipeline
from hub.commands import repository as commands
from hub.commands.model import IssuedCommand
from hub.devices.model import Device
from hub.devices.repository import DeviceKey
from hub.gateways import repository as gateways
from hub.installations import repository
from hub.installations.certifying import digest_of, document_of
from hub.installations.judging import Equipment, Facts, LastFix, Order, Verdict, judge, ready
from hub.telemetry.contract import Arrival
from protocol.clock import SystemClock
from protocol.documents import Qr, decode_order
from protocol.messages import Batch, Event, EventState, Outcome, Position, Reading, Record, Reply, Severity
from tests.serving import Api

CLOCK = SystemClock()
JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000") + b"\x00" * 64 + b"\xff\xd9"
GOOD = {"sharpness": 12.5, "brightness": 0.5}
CLEAR = dict.fromkeys(("guest_room", "dormitory", "toilet", "bath", "changing", "nursing", "private"), "clear")


class Site:
    """A gateway with a camera, a printer and a GPS unit, as its own box would speak for it."""

    def __init__(self, api: Api, password: str) -> None:
        self.api = api
        self.parts = api.parts
        self.password = password
        self.door = Api(api.app, None)
        self.door.auth = httpx.BasicAuth("g1", password)
        self.seq = 0

    async def call(self, method: str, path: str, status: int = 200, **body: Any) -> Any:
        answer = await self.door.request(method, f"/gateway/v1/installation{path}", json=body or None)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    async def say(self, *records: Record) -> None:
        """Let records take the way of a batch: telemetry, then the anomaly pipeline."""
        self.seq += 1
        batch = Batch(
            id=CLOCK.new_id(), gateway="g1", epoch=UUID(int=1), seq=self.seq, sent_at=CLOCK.now(), records=records
        )
        arrivals = [Arrival(batch, CLOCK.now())]
        await self.parts.telemetry.commit(arrivals)
        pipeline = AnomalyPipeline(
            clock=self.parts.clock,
            stream=self.parts.stream,
            grids=self.parts.grids,
            settings=self.parts.config.anomalies,
        )
        async with self.parts.database.write() as session:
            await pipeline.take(session, arrivals)

    async def answer(self, data: Mapping[str, Mapping[str, Any]], outcome: Outcome = Outcome.DONE) -> None:
        """Reply to every pending order by its name."""
        async with self.parts.database.write() as session:
            row = await repository.open_or_none(session, "g1") or await repository.newest(session, "g1")
            assert row is not None
            assert row.trial is not None
            for number in (UUID(row.trial["event"]), *map(UUID, row.trial["devices"].values())):
                order = await session.get(IssuedCommand, number)
                assert order is not None
                if order.state == commands.PENDING and order.name in data:
                    reply = Reply(id=number, result=outcome, data=dict(data[order.name]), at=CLOCK.now())
                    assert await commands.settle(session, "g1", reply, CLOCK.now())

    async def works(self) -> None:
        """Everything that the box has does what it should."""
        now = CLOCK.now()
        event = Event(
            device="gateway",
            at=now,
            type="installation.trial",
            severity=Severity.MINOR,
            id=CLOCK.new_id(),
            state=EventState.INSTANT,
        )
        box: dict[str, Any] = {"clock_offset_s": 0.2, "disk_free_bytes": 4e9, "outbox_bytes_per_day": 2e8}
        await self.say(
            Reading(device="gateway", at=now, values=box),
            Position(device="gps-1", at=now, latitude=24.57, longitude=118.1, hdop=0.9, satellites=11),
            event,
        )
        await self.answer({"trial": {"event": str(event.id)}, "snapshot": GOOD, "print": {"result": "printed"}})

    async def check(self) -> dict[str, dict[str, Any]]:
        found = await self.call("GET", "/check?language=en")
        return {f"{each['device']} {each['code']}".strip(): each for each in found["items"]}


async def furnished(api: Api) -> Site:
    """Register a gateway with a camera, a printer and a GPS unit that is online."""
    made = await api.post("/api/v1/gateways", json={"gateway": "g1"})
    password: str = made.json()["password"]
    async with api.parts.database.write() as session:
        gateway = await gateways.find(session, "g1")
        assert gateway is not None
        gateway.online = True
        kinds = {"camera-1": "camera", "printer-1": "printer", "gps-1": "gps.nmea", "gateway": ""}
        for device, driver in kinds.items():
            session.add(Device(gateway="g1", device=device, driver=driver, first_seen_at=CLOCK.now()))
    return Site(api, password)


@pytest.fixture
async def site(api: Api) -> Site:
    return await furnished(api)


async def subject(api: Api, **more: Any) -> str:
    body = {"name": "集美小厨", "licence": "JY13502050000017", "latitude": 24.57, "longitude": 118.1} | more
    answer = await api.post("/api/v1/subjects", json=body)
    assert answer.status_code == 201, answer.text
    made: str = answer.json()["id"]
    return made


async def prepared(site: Site) -> str:
    """Bring a site to where only the certificate is missing; return its subject."""
    where = await subject(site.api)
    await site.call("PUT", "", installer="林工")
    await site.call("PUT", "/place", subject=where, latitude=24.5703, longitude=118.1002, accuracy_m=3.5, fixes=30)
    await site.call("PUT", "/devices/camera-1/zones", zones=CLEAR)
    sign = await site.door.put("/gateway/v1/installation/devices/camera-1/sign", content=JPEG)
    assert sign.status_code == 200, sign.text
    await site.call("POST", "/trial", 202)
    await site.works()
    return where


async def test_an_installation_goes_from_whose_box_it_is_to_a_printed_certificate(site: Site) -> None:
    where = await prepared(site)
    found = await site.check()
    assert {each["verdict"] for each in found.values()} == {"good"}, found
    assert "42 m" in found["position_near"]["text"] or "39 m" in found["position_near"]["text"]
    made = await site.call("PUT", "/certificate", printer="printer-1", language="en")
    assert made["state"] == "certified"
    assert made["digest"] == digest_of(made["content"])

    async with site.parts.database.read() as session:
        order = await commands.find(session, UUID(made["printing"]))
        assert order is not None
        document = decode_order(order.args).document
        device = await session.get(Device, DeviceKey("g1", "camera-1"))
        assert device is not None
        assert str(device.subject_id) == where
    (code,) = (block for block in document.blocks if isinstance(block, Qr))
    assert code.text == made["verify"]
    page = await site.api.without_key().get(code.text.removeprefix("http://127.0.0.1:8080"))
    assert page.status_code == 200
    assert made["number"] in page.text
    assert "集美小厨" in page.text
    for forged in (f"/verify/{made['number']}?d={'0' * 16}", f"/verify/{made['number']}", "/verify/AZ-0000-0000-0000"):
        refused = await site.api.without_key().get(forged)
        assert "集美小厨" not in refused.text

    archive = (await site.api.get(f"/api/v1/subjects/{where}/archive")).json()["items"]
    assert {"installation.placed", "installation.certified"} <= {entry["kind"] for entry in archive}
    alerts = (await site.api.get("/api/v1/alerts")).json()["items"]
    assert [(each["type"], each["state"]) for each in alerts] == [("installation.trial", "closed")]
    again = await site.call("PUT", "/certificate", printer="printer-1")
    assert (again["number"], again["printing"] != made["printing"]) == (made["number"], True)


async def test_what_does_not_work_is_named_and_keeps_the_certificate_back(site: Site) -> None:
    await prepared(site)
    for snapshot, printed, expected in (
        ({"sharpness": 1.2, "brightness": 0.5}, "printed", "camera-1 picture_blurred"),
        ({"sharpness": 9.0, "brightness": 0.02}, "printed", "camera-1 picture_dark"),
        ({}, "printed", "camera-1 picture"),
        (GOOD, "failed", "printer-1 ticket_printed"),
    ):
        await site.call("POST", "/trial", 202)
        await site.answer({"trial": {}, "snapshot": snapshot, "print": {"result": printed}})
        assert (await site.check())[expected]["verdict"] == "bad"
        refused = await site.call("PUT", "/certificate", 409, language="zh-CN")
        assert refused["rule"] == "installations.not_ready"
        assert expected in refused["detail"]
    await site.call("POST", "/trial", 202)
    await site.answer({"snapshot": {"reason": "no picture"}, "print": {}}, Outcome.FAILED)
    found = await site.check()
    assert "no picture" in found["camera-1 order_failed"]["text"]
    assert (found["round_trip"]["verdict"], found["alert"]["verdict"]) == ("waiting", "waiting")


async def test_zones_and_sign_are_asked_for_and_land_in_the_legal_register(site: Site) -> None:
    where = await subject(site.api)
    await site.call("PUT", "", installer="林工")
    await site.call("PUT", "/place", subject=where, latitude=24.57, longitude=118.1, accuracy_m=3.5, fixes=30)
    assert (await site.check())["camera-1 unregistered"]["facts"]["missing"] == "sign, zones"
    assert len(await site.call("GET", "/zones")) == len(CLEAR)
    await site.call("PUT", "/devices/camera-1/zones", zones=CLEAR | {"toilet": "seen"})
    assert (await site.check())["camera-1 unregistered"]["facts"]["missing"] == "sign, zones"
    await site.call("PUT", "/devices/camera-1/zones", zones=CLEAR | {"toilet": "masked"})
    assert (await site.check())["camera-1 unregistered"]["facts"]["missing"] == "sign"
    for body, status in ((b"GIF89a", 422), (JPEG + b"\0" * 600_000, 413)):
        answer = await site.door.put("/gateway/v1/installation/devices/camera-1/sign", content=body)
        assert answer.status_code == status
    assert (await site.door.put("/gateway/v1/installation/devices/camera-1/sign", content=JPEG)).status_code == 200
    assert "camera-1 unregistered" not in await site.check()
    register = (await site.api.get("/api/v1/devices/g1/camera-1/register")).json()
    assert (register["changed_by"], register["zones"]["toilet"]) == ("林工", "masked")
    await site.call("PUT", "/devices/nobody/zones", 404, zones=CLEAR)


async def test_what_the_register_holds_is_read_back_by_its_own_box(site: Site) -> None:
    where = await subject(site.api)
    await site.call("PUT", "", installer="林工")
    await site.call("PUT", "/place", subject=where, latitude=24.57, longitude=118.1, accuracy_m=3.5, fixes=30)
    empty = await site.call("GET", "/devices/camera-1/register")
    assert (empty["zones"], empty["sign"], empty["version"], empty["changed_at"]) == ({}, None, 0, None)
    zones = CLEAR | {"toilet": "masked"}
    written = await site.call("PUT", "/devices/camera-1/zones", zones=zones)
    assert await site.call("GET", "/devices/camera-1/register") == written
    assert (written["zones"], written["changed_by"]) == (zones, "林工")
    await site.call("DELETE", "", 204)
    assert (await site.call("GET", "/devices/camera-1/register"))["zones"] == zones
    assert (await site.call("GET", "/devices/nobody/register", 404))["rule"] == "devices.unknown"
    other = (await site.api.post("/api/v1/gateways", json={"gateway": "g2"})).json()
    refused = await site.door.get("/gateway/v1/installation/devices/camera-1/register", auth=("g2", other["password"]))
    assert refused.status_code == 404


async def test_the_newest_certificate_is_read_back_with_what_was_found(site: Site) -> None:
    assert (await site.call("GET", "/certificate", 404))["rule"] == "installations.no_certificate"
    await prepared(site)
    assert (await site.call("GET", "/certificate", 404))["rule"] == "installations.no_certificate"
    made = await site.call("PUT", "/certificate", language="en")
    last = await site.call("GET", "/certificate?language=en")
    assert {name: last[name] for name in made} == made
    assert last["current"] is True
    texts = {(each["device"], each["text"]) for each in last["findings"]}
    assert ("camera-1", "The picture is sharp (sharpness 12.5)") in texts
    assert len(last["findings"]) == len(made["content"]["items"])
    chinese = await site.call("GET", "/certificate")
    assert {each["text"] for each in chinese["findings"]}.isdisjoint({text for _, text in texts})
    await site.call("PUT", "", installer="陈工")
    outdated = await site.call("GET", "/certificate?language=en")
    assert (outdated["number"], outdated["current"]) == (made["number"], False)
    await site.call("DELETE", "", 204)
    assert (await site.call("GET", "/certificate"))["current"] is False


async def test_a_box_may_look_at_subjects_only_while_it_is_installed(site: Site) -> None:
    where = await subject(site.api)
    await site.call("GET", "/subjects?q=JY13502050000017", 404)
    await site.call("PUT", "/place", 404, subject=where, latitude=24.0, longitude=118.0, accuracy_m=1, fixes=1)
    await site.call("POST", "/trial", 404)
    await site.call("PUT", "/certificate", 404, language="zh-CN")
    first = await site.call("PUT", "", installer="林工")
    assert (await site.call("PUT", "", installer="陈工"))["id"] == first["id"]
    for words in ("JY13502050000017", "小厨"):
        found = await site.call("GET", f"/subjects?q={words}")
        assert [each["id"] for each in found["items"]] == [where]
    assert (await site.call("GET", "/subjects?q=nothing like it"))["items"] == []
    await site.call(
        "PUT", "/place", 404, subject=str(UUID(int=7)), latitude=24.0, longitude=118.0, accuracy_m=1, fixes=1
    )
    await site.call("DELETE", "", 204)
    await site.call("GET", "", 404)


async def test_operators_see_installations_and_strangers_do_not(site: Site) -> None:
    opened = await site.call("PUT", "", installer="林工")
    reader = await site.api.with_scopes(Scope.DEVICES_READ)
    listed = (await reader.get("/api/v1/installations", params={"gateway": "g1", "state": "open"})).json()["items"]
    assert [each["id"] for each in listed] == [opened["id"]]
    assert (await reader.get(f"/api/v1/installations/{opened['id']}")).json()["installer"] == "林工"
    check = (await reader.get(f"/api/v1/installations/{opened['id']}/check")).json()
    assert check["ready"] is False
    assert (await reader.get(f"/api/v1/installations/{UUID(int=9)}")).status_code == 404
    assert (await (site.api.without_key()).get("/gateway/v1/installation")).status_code == 401


def facts(**changes: Any) -> Facts:
    now = CLOCK.now()
    good: dict[str, Any] = {
        "now": now,
        "tried_at": now - timedelta(seconds=3),
        "online": True,
        "clock_offset_s": 0.1,
        "disk_free_bytes": 1e9,
        "bytes_per_day": 1e8,
        "trial": Order(outcome="done", took_s=0.4),
        "alert_after_s": 0.6,
        "subject": True,
        "placed": True,
        "away_m": 12.0,
        "equipment": (),
    }
    return Facts(**good | changes)


def equipment(driver: str, **more: Any) -> Equipment:
    return Equipment(device="d", driver=driver, status="ok", **more)


NOW = CLOCK.now()


@pytest.mark.parametrize(
    ("changes", "code", "verdict"),
    [
        ({}, "position_near", Verdict.GOOD),
        ({"away_m": 900.0}, "position_far", Verdict.BAD),
        ({"away_m": None}, "position", Verdict.GOOD),
        ({"placed": False}, "position", Verdict.BAD),
        ({"subject": False}, "subject", Verdict.BAD),
        ({"online": False}, "online", Verdict.BAD),
        ({"clock_offset_s": None}, "clock", Verdict.WAITING),
        ({"clock_offset_s": -86_400.0}, "clock_is", Verdict.BAD),
        ({"disk_free_bytes": 1e7}, "disk_lasts", Verdict.BAD),
        ({"bytes_per_day": None}, "disk", Verdict.WAITING),
        ({"trial": None}, "untried", Verdict.BAD),
        ({"trial": Order(outcome="done", took_s=9.0)}, "round_trip_took", Verdict.BAD),
        ({"alert_after_s": None, "tried_at": NOW - timedelta(minutes=2), "now": NOW}, "alert", Verdict.BAD),
        ({"equipment": (equipment("gps.nmea"),)}, "no_fix", Verdict.BAD),
        (
            {"equipment": (equipment("gps.nmea", fix=LastFix(at=NOW, hdop=9.0, satellites=4)),), "now": NOW},
            "fix_weak",
            Verdict.BAD,
        ),
        ({"equipment": (equipment("thermometer.bthome"),)}, "no_reading", Verdict.BAD),
        ({"equipment": (equipment("thermometer.bthome", said_at=NOW),), "now": NOW}, "reading", Verdict.GOOD),
        ({"equipment": (equipment("scanner"),)}, "device_well", Verdict.GOOD),
        (
            {"equipment": (equipment("printer", order=Order(outcome="done", data={"result": "sent_unconfirmed"})),)},
            "ticket_sent",
            Verdict.GOOD,
        ),
        ({"equipment": (equipment("camera"),)}, "device_untried", Verdict.BAD),
        ({"equipment": (Equipment(device="d", driver="camera", status="lost"),)}, "device_unwell", Verdict.BAD),
    ],
)
def test_each_fact_has_its_verdict(changes: dict[str, Any], code: str, verdict: Verdict) -> None:
    items = {item.code: item.verdict for item in judge(facts(**changes))}
    assert items[code] is verdict
    assert ready(judge(facts(**changes))) is all(each is Verdict.GOOD for each in items.values())


def test_a_certificate_is_a_document_in_both_languages() -> None:
    content = {
        "number": "AZ-7K3M-Q9TD-4X2B",
        "gateway": "g1",
        "subject": {"id": str(UUID(int=1)), "name": "集美小厨", "licence": None},
        "position": {"latitude": 24.57, "longitude": 118.1, "accuracy_m": 3.0},
        "installer": "林工",
        "certified_at": CLOCK.now().isoformat(),
        "items": [{"code": each.code, "device": each.device, "facts": dict(each.facts)} for each in judge(facts())],
    }
    chinese = document_of(content, digest_of(content), "https://hub.example", "zh-CN")
    english = document_of(content, digest_of(content), "https://hub.example", "en")
    assert len(chinese.blocks) == len(english.blocks)
    assert chinese != english
