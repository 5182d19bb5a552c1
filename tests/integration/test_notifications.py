"""From a committed alert to a receiver that has it: once in the ledger, signed, again until taken, not behind walls."""

import asyncio
import base64
import hashlib
import hmac
import io
import json
import os
import ssl
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import trustme
from sqlalchemy import select

from hub.alerts.model import AlertRow
from hub.jobs import retrying
from hub.jobs.worker import LEASE, Worker
from hub.notifications import delivering
from hub.notifications.addresses import AddressPolicy
from hub.notifications.channels import add_channel, ensure_console
from hub.notifications.contract import AlertNotice, Occasion
from hub.notifications.delivering import Delivery, open_delivery
from hub.notifications.model import Channel, Notification
from hub.notifications.notifying import DELIVER, notify
from hub.storage.database import Database, open_database
from protocol.clock import Clock, SystemClock
from protocol.errors import ConfigurationError
from protocol.messages import Severity
from tests.databases import create_tables
from tests.domain_api import Domain, serving
from tests.simulators.webhook_receiver import SILENCE, Receiver, receiving

LOOPBACK = AddressPolicy.of(("127.0.0.0/8",))


@pytest.fixture
def clock() -> Clock:
    return SystemClock()


@pytest.fixture
async def api(database: Database, clock: Clock, tmp_path: Path) -> AsyncIterator[Domain]:
    async with serving(database, clock, tmp_path, {"notifications": {"allow": ["127.0.0.1"]}}) as api:
        yield api


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "FIRST_DELAY_S", 0.05)
    monkeypatch.setattr(delivering, "ANSWER_S", 0.5)


def notice(alert_id: UUID, clock: Clock, **changes: Any) -> AlertNotice:
    facts: dict[str, Any] = {
        "alert_id": alert_id,
        "key": "camera.covered:g1/kitchen",
        "type": "camera.covered",
        "severity": Severity.MAJOR,
        "summary": "93 %",
        "subject_id": UUID(int=5),
        "subject_name": "集美小厨",
        "grid_id": "35021100100301",
        "grid_name": "石桥社区第一网格",
        "officer_id": UUID(int=6),
        "officer_name": "甲片区网格员",
        "device": "kitchen",
        "gateway": "g1",
        "at": clock.now(),
        "times_seen": 1,
    }
    return AlertNotice(**facts | changes)


async def raise_alert(database: Database, clock: Clock, occasion: Occasion = Occasion.RAISED, **changes: Any) -> UUID:
    alert_id = clock.new_id()
    now = clock.now()
    async with database.write() as session:
        session.add(
            AlertRow(
                id=alert_id,
                key=str(alert_id),
                type="camera.covered",
                severity="major",
                state="raised",
                gateway="g1",
                device="kitchen",
                summary="93 %",
                began_at=now,
                raised_at=now,
                last_seen_at=now,
            )
        )
        await session.flush()
        await notify(session, notice(alert_id, clock, **changes), occasion, clock)
    return alert_id


@asynccontextmanager
async def working(database: Database, clock: Clock, delivery: Delivery) -> AsyncIterator[None]:
    task = asyncio.create_task(Worker(database, clock, {DELIVER: delivery.deliver}).run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await delivery.close()


async def ledger(database: Database) -> list[Notification]:
    async with database.read() as session:
        return list(await session.scalars(select(Notification).order_by(Notification.id)))


async def settled(database: Database, state: str) -> Notification:
    """Return the only notification when it has this state."""
    return await when(database, lambda row: row.state == state)


async def when(database: Database, is_so: Callable[[Notification], bool]) -> Notification:
    """Return the only notification when it is so."""
    changed = asyncio.Event()
    database.on_commit(changed.set)
    async with asyncio.timeout(20):
        while True:
            changed.clear()
            (only,) = await ledger(database)
            if is_so(only):
                return only
            await changed.wait()


async def make_webhook(database: Database, clock: Clock, url: str) -> str:
    async with database.write() as session:
        made = await add_channel(
            session, clock, name="desk", kind="webhook", options={"url": url}, minimum_severity="minor"
        )
    return made.secret


def signature(secret: str, message_id: str, stamp: str, body: bytes) -> str:
    """Sign as the specification of Standard Webhooks says, written down anew."""
    key = base64.b64decode(secret[len("whsec_") :])
    mac = hmac.new(key, message_id.encode() + b"." + stamp.encode() + b"." + body, hashlib.sha256)
    return "v1," + base64.b64encode(mac.digest()).decode()


async def test_a_webhook_is_signed_and_says_what_happened(database: Database, clock: Clock, receiver: Receiver) -> None:
    async with receiving(receiver) as url:
        secret = await make_webhook(database, clock, url)
        async with working(database, clock, Delivery(database, clock, LOOPBACK)):
            alert_id = await raise_alert(database, clock)
            row = await settled(database, "accepted")
    (request,) = receiver.requests
    headers = request.headers
    assert request.target == "/alerts?site=1"
    assert headers["host"] == f"127.0.0.1:{receiver.port}"
    assert headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert headers["webhook-id"] == str(row.id)
    stamp = headers["webhook-timestamp"]
    assert headers["webhook-signature"] == signature(secret, str(row.id), stamp, request.body)
    assert abs(int(stamp) - clock.now().timestamp()) < 60
    event = json.loads(request.body)
    assert event == row.payload
    assert {name: event[name] for name in ("specversion", "id", "type", "subject")} == {
        "specversion": "1.0",
        "id": str(row.id),
        "type": "diwang.alert.raised",
        "subject": f"alerts/{alert_id}",
    }
    assert event["data"]["subject"] == {"id": str(UUID(int=5)), "name": "集美小厨"}
    assert "【重要】告警 · 镜头被遮挡（93 %） · 主体 集美小厨" in event["data"]["text"]["zh-CN"]
    assert "[MAJOR] alert · Lens covered (93 %) · subject 集美小厨" in event["data"]["text"]["en"]
    assert event["data"]["summary"] == "Lens covered (93 %)"
    assert (row.tries, row.last_error) == (1, "")
    assert row.accepted_at is not None


async def test_a_channel_is_told_once_of_each_occasion(database: Database, clock: Clock) -> None:
    await make_webhook(database, clock, "https://example.org/")
    alert_id = await raise_alert(database, clock)
    for occasion, new in ((Occasion.RAISED, 0), (Occasion.WORSE, 1), (Occasion.WORSE, 0), (Occasion.ENDED, 1)):
        async with database.write() as session:
            assert await notify(session, notice(alert_id, clock), occasion, clock) == new
    assert [row.occasion for row in await ledger(database)] == ["raised", "worse", "ended"]


async def test_only_channels_that_want_it_are_told(database: Database, clock: Clock) -> None:
    async with database.write() as session:
        for severity in Severity:
            await add_channel(
                session, clock, name=severity.value, kind="console", options={}, minimum_severity=severity.value
            )
        off = await add_channel(session, clock, name="off", kind="console", options={}, minimum_severity="info")
        off.channel.enabled = False
    await raise_alert(database, clock, severity=Severity.MINOR)
    async with database.read() as session:
        names = {row.id: row.name for row in await session.scalars(select(Channel))}
    assert sorted(names[row.channel_id] for row in await ledger(database)) == ["info", "minor"]


@pytest.mark.usefixtures("quick")
async def test_it_is_sent_again_until_it_is_taken(database: Database, clock: Clock, receiver: Receiver) -> None:
    receiver.answers.extend([500, SILENCE, 429, 302])
    async with receiving(receiver) as url:
        await make_webhook(database, clock, url)
        async with working(database, clock, Delivery(database, clock, LOOPBACK)):
            await raise_alert(database, clock)
            row = await settled(database, "accepted")
    assert row.tries == 5
    assert {request.headers["webhook-id"] for request in receiver.requests} == {str(row.id)}
    assert len({request.body for request in receiver.requests}) == 1


@pytest.mark.usefixtures("quick")
async def test_a_receiver_that_was_away_gets_it_when_it_is_back(
    database: Database, clock: Clock, receiver: Receiver
) -> None:
    async with receiving(receiver) as url:
        await make_webhook(database, clock, url)
    async with working(database, clock, Delivery(database, clock, LOOPBACK)):
        await raise_alert(database, clock)
        failed = await when(database, lambda row: row.tries == 2)
        assert (failed.state, failed.last_error) == ("queued", "ConnectError: All connection attempts failed")
        async with receiving(receiver):
            await settled(database, "accepted")
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("status", [404, 410])
async def test_a_receiver_that_is_gone_is_given_up(
    database: Database, clock: Clock, receiver: Receiver, status: int
) -> None:
    receiver.answers.append(status)
    async with receiving(receiver) as url:
        await make_webhook(database, clock, url)
        async with working(database, clock, Delivery(database, clock, LOOPBACK)):
            await raise_alert(database, clock)
            row = await settled(database, "dead")
    assert (row.tries, row.last_error) == (1, f"the receiver is gone: HTTP {status}")


async def test_after_a_day_it_is_given_up_and_seen_to_be_so(
    database: Database, clock: Clock, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrying, "GIVEN_UP_AFTER", timedelta(0))
    receiver.answers.append(503)
    async with receiving(receiver) as url:
        await make_webhook(database, clock, url)
        async with working(database, clock, Delivery(database, clock, LOOPBACK)):
            await raise_alert(database, clock)
            row = await settled(database, "dead")
    assert row.last_error == "the receiver answers HTTP 503"


async def test_the_console_says_one_line(database: Database, clock: Clock) -> None:
    async with database.write() as session:
        await ensure_console(session, clock)
        await ensure_console(session, clock)
    said = io.StringIO()
    async with working(database, clock, Delivery(database, clock, LOOPBACK, language="en", console=said)):
        await raise_alert(database, clock, times_seen=3)
        await settled(database, "accepted")
    (line,) = said.getvalue().splitlines()
    assert line.startswith("[MAJOR] alert · Lens covered (93 %) · subject 集美小厨")
    assert line.endswith("officer 甲片区网格员 · seen 3 times")


async def test_a_console_without_chinese_shows_what_it_can(database: Database, clock: Clock) -> None:
    async with database.write() as session:
        await ensure_console(session, clock)
    said = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    async with working(database, clock, Delivery(database, clock, LOOPBACK, language="zh-CN", console=said)):
        await raise_alert(database, clock)
        await settled(database, "accepted")
    said.seek(0)
    assert "?" in said.read()


async def test_a_console_whose_disk_is_full_stops_nothing(database: Database, clock: Clock) -> None:
    async with database.write() as session:
        await ensure_console(session, clock)
    full = os.fdopen(os.open("/dev/full", os.O_WRONLY), "w")
    async with working(database, clock, Delivery(database, clock, LOOPBACK, console=full)):
        await raise_alert(database, clock)
        row = await when(database, lambda row: row.tries == 1)
    assert "No space left" in row.last_error
    with suppress(OSError):
        full.close()


@pytest.mark.usefixtures("quick")
async def test_a_name_that_leads_behind_the_walls_is_never_called(
    database: Database, clock: Clock, receiver: Receiver
) -> None:
    async with receiving(receiver):
        await make_webhook(database, clock, f"https://localhost:{receiver.port}/")
        async with working(database, clock, Delivery(database, clock, AddressPolicy())):
            await raise_alert(database, clock)
            row = await settled(database, "dead")
    assert "is not a public address" in row.last_error
    assert receiver.requests == []


async def test_the_checked_address_is_called_under_the_name_that_was_asked_for(
    database: Database, clock: Clock, receiver: Receiver
) -> None:
    """The certificate is for the name; the connection goes to the address that was checked."""
    authority = trustme.CA()
    server_tls, client_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(server_tls)
    authority.configure_trust(client_tls)
    policy = AddressPolicy.of(("localhost",))
    async with receiving(receiver, server_tls):
        await make_webhook(database, clock, f"https://localhost:{receiver.port}/")
        async with working(database, clock, Delivery(database, clock, policy, tls=client_tls)):
            await raise_alert(database, clock)
            await settled(database, "accepted")
    assert receiver.requests[0].headers["host"] == f"localhost:{receiver.port}"


SENDER = """
import asyncio, sys
from hub.jobs.worker import Worker
from hub.notifications.addresses import AddressPolicy
from hub.notifications.delivering import Delivery
from hub.notifications.notifying import DELIVER
from hub.storage.database import open_database
from protocol.clock import SystemClock

async def main():
    database, clock = open_database(sys.argv[1]), SystemClock()
    delivery = Delivery(database, clock, AddressPolicy.of(("127.0.0.0/8",)))
    await Worker(database, clock, {DELIVER: delivery.deliver}).run()

asyncio.run(main())
"""


class Later(SystemClock):
    """A clock after every lease of now."""

    def now(self) -> Any:
        return super().now() + LEASE


async def test_a_hub_killed_while_it_sends_sends_again_under_the_same_id(
    tmp_path: Path, clock: Clock, receiver: Receiver
) -> None:
    url = f"sqlite:///{tmp_path / 'hub.db'}"
    database = open_database(url)
    await create_tables(database)
    receiver.answers.append(SILENCE)
    async with receiving(receiver) as address:
        await make_webhook(database, clock, address)
        await raise_alert(database, clock)
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", SENDER, url)
        await receiver.wait_for(1)
        process.kill()
        await process.wait()
        later = Later()
        async with working(database, later, Delivery(database, later, LOOPBACK)):
            row = await settled(database, "accepted")
    await database.close()
    assert [request.headers["webhook-id"] for request in receiver.requests] == [str(row.id)] * 2
    assert row.tries == 1


async def test_channels_show_their_secret_once(api: Domain) -> None:
    made = await api.post("/channels", {"name": "desk", "url": "http://127.0.0.1:9/x", "minimum_severity": "major"})
    assert made["secret"].startswith("whsec_")
    assert len(base64.b64decode(made["secret"][6:])) == 32
    listed = await api.every("/channels")
    assert [set(made) - set(each) for each in listed] == [{"secret"}]
    assert (await api.post("/channels", {"name": "desk", "kind": "console"}, expected=409))["rule"] == "channels.taken"
    console = await api.post("/channels", {"name": "screen", "kind": "console"})
    assert (console["secret"], console["url"]) == (None, None)
    await api.post("/channels", {"name": "none"}, expected=422)
    path = f"/channels/{made['id']}"
    edited = await api.patch(path, {"enabled": False, "minimum_severity": "critical"}, 1)
    assert (edited["enabled"], edited["minimum_severity"], edited["version"]) == (False, "critical", 2)
    await api.patch(path, {"enabled": True}, 1, expected=412)
    bad = await api.patch(path, {"url": "http://10.0.0.1/"}, 2, expected=422)
    assert bad["rule"] == "channels.url_refused"
    none = await api.patch(f"/channels/{console['id']}", {"url": "https://example.org/"}, 1, expected=409)
    assert none["rule"] == "channels.no_url"


async def test_the_ledger_is_read_by_alert_channel_and_state(api: Domain, clock: Clock) -> None:
    channel = await api.post("/channels", {"name": "desk", "url": "https://example.org/"})
    other = await api.post("/channels", {"name": "screen", "kind": "console"})
    alerts = [await raise_alert(api.parts.database, clock) for _ in range(3)]
    assert len(await api.every("/notifications", limit=4)) == 6
    mine = await api.every("/notifications", channel=channel["id"], limit=2)
    assert [each["alert"] for each in mine] == [str(alert) for alert in reversed(alerts)]
    one = await api.every("/notifications", alert=str(alerts[0]), state="queued")
    assert {each["channel"] for each in one} == {channel["id"], other["id"]}
    assert await api.every("/notifications", state="dead") == []


async def test_the_settings_make_a_console_and_bad_networks_are_refused_at_the_start(
    database: Database, clock: Clock, tmp_path: Path
) -> None:
    async with serving(database, clock, tmp_path) as api, open_delivery(api.parts):
        assert [each["name"] for each in await api.every("/channels")] == ["console"]
    wrong = {"notifications": {"allow": ["10.0.0.0/99"]}}
    async with serving(database, clock, tmp_path, wrong) as api:
        with pytest.raises(ConfigurationError, match=r"10\.0\.0\.0/99"):
            await open_delivery(api.parts).__aenter__()
