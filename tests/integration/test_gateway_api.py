"""From a gateway's registration over HTTP to its data, commands and dead letters, through the real chain."""

import asyncio
import base64
import hashlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiomqtt
import httpx
import pytest

from hub.accounts.keyring import KeyRing
from hub.accounts.scopes import Scope
from hub.app import create_app
from hub.commands import dispatching
from hub.commands.model import IssuedCommand
from hub.config import HubConfig
from hub.custody.signing import open_signer
from hub.device_models.live import LiveModels
from hub.footage.store import FootageFolder
from hub.gateways.callers import Callers
from hub.grids.live import LiveGrids
from hub.ingest import repository
from hub.ingest.deliveries import Letter, Part
from hub.ingest.recording import Recorder
from hub.ingest.replaying import Replayer
from hub.parts import Parts
from hub.readiness import Readiness
from hub.stream.stream import Stream
from hub.uploads.folder import UploadFolder
from hub.uploads.uploading import Uploads
from protocol import topics
from protocol.clock import SystemClock
from protocol.messages import Event, EventState, Outcome, Reading, Reply, Severity
from tests.domain_api import Domain
from tests.serving import Api, new_key
from tests.simulators.intake import Chain, running_chain
from tests.simulators.mqtt_gateway import SimulatedGateway, connected_gateway

CLOCK = SystemClock()


@asynccontextmanager
async def served(chain: Chain, folder: Path) -> AsyncIterator[Domain]:
    stream = Stream(chain.database, CLOCK)
    footage, uploads = FootageFolder(folder / "footage"), UploadFolder(folder / "uploads", reserve_bytes=0)
    parts = Parts(
        config=HubConfig(data=folder),
        clock=CLOCK,
        database=chain.database,
        telemetry=chain.telemetry,
        media=chain.media,
        stream=stream,
        keys=KeyRing(chain.database, CLOCK),
        callers=Callers(chain.database, CLOCK),
        grids=LiveGrids(chain.database, CLOCK),
        readiness=Readiness(),
        replayer=Replayer(
            chain.telemetry,
            chain.media,
            lambda: Recorder(chain.database, stream, CLOCK, ()),
            CLOCK,
            LiveModels(chain.database, CLOCK).conform,
        ),
        custody=open_signer(folder),
        footage=footage,
        uploads=Uploads(database=chain.database, clock=CLOCK, folder=uploads, store=footage),
        broker_address=chain.address,
        issuing=None,
        wake_commands=chain.intake.dispatcher.wake,
    )
    async with Api(create_app(parts), await new_key(parts, Scope.ADMIN)) as http:
        http.base_url = httpx.URL("http://hub/api/v1")
        yield Domain(http, parts)


@pytest.fixture
async def chain(tmp_path: Path) -> AsyncIterator[Chain]:
    async with running_chain(tmp_path) as chain:
        yield chain


@pytest.fixture
async def api(chain: Chain, tmp_path: Path) -> AsyncIterator[Domain]:
    async with served(chain, tmp_path) as api:
        yield api


@pytest.fixture
async def gateway(api: Domain) -> AsyncIterator[SimulatedGateway]:
    made = await api.post("/gateways", {"gateway": "g1"})
    async with connected_gateway(made["broker"], made["username"], made["password"]) as gateway:
        yield gateway


async def until(look: Callable[[], Awaitable[Any]], holds: Callable[[Any], bool], within_s: float = 15) -> Any:
    """Ask the API until what it answers holds."""
    async with asyncio.timeout(within_s):
        while True:
            found = await look()
            if holds(found):
                return found
            await asyncio.sleep(0.05)


async def test_a_gateway_is_registered_once_and_its_password_is_shown_once(api: Domain) -> None:
    headers = {"Idempotency-Key": str(uuid4())}
    made = await api.post("/gateways", {"gateway": "g1"}, headers=headers)
    assert made.keys() == {"gateway", "username", "password", "broker"}
    assert await api.post("/gateways", {"gateway": "g1"}, headers=headers) == made
    await api.post("/gateways", {"gateway": "g1"}, expected=409)
    await api.post("/gateways", {"gateway": "G 1"}, expected=422)
    read = await api.get("/gateways/g1")
    assert made["password"] not in str(read)
    assert (read["status"], read["last_seen_at"], read["gaps"]) == ("offline", None, [])
    await api.delete("/gateways/g1")
    assert (await api.get("/gateways"))["items"][0]["status"] == "revoked"
    again = await api.post("/gateways", {"gateway": "g1"})
    assert again["password"] != made["password"]
    with pytest.raises(aiomqtt.MqttError):
        async with connected_gateway(made["broker"], "g1", made["password"]):
            pass
    async with connected_gateway(again["broker"], "g1", again["password"]):
        pass
    await api.get("/gateways/g9", expected=404)
    await api.delete("/gateways/g9", expected=404)


async def test_a_gateway_comes_and_goes(api: Domain) -> None:
    made = await api.post("/gateways", {"gateway": "g1"})
    async with connected_gateway(made["broker"], "g1", made["password"]) as gateway:
        await gateway.say()
        found = await until(lambda: api.get("/gateways/g1"), lambda each: each["status"] == "online")
        assert found["last_seen_at"]
        await asyncio.sleep(2.1)
        connection = gateway.client._client.socket()
        assert isinstance(connection, socket.socket)
        connection.shutdown(socket.SHUT_RDWR)
        await until(lambda: api.get("/gateways/g1"), lambda each: each["status"] == "offline")


async def test_missing_batches_are_told(api: Domain, gateway: SimulatedGateway) -> None:
    await gateway.say()
    batches = [gateway.batch(seq, [Reading(device="d1", at=CLOCK.now(), values={"t": 1.0})]) for seq in (1, 2, 5, 6, 9)]
    for batch in batches:
        await gateway.send(batch)
    await gateway.until_acked(*batches)
    found = await until(lambda: api.get("/gateways/g1"), lambda each: bool(each["gaps"]))
    assert [(gap["first"], gap["last"]) for gap in found["gaps"]] == [(3, 4), (7, 8)]


async def test_a_device_is_linked_by_people_who_saw_it(api: Domain, gateway: SimulatedGateway) -> None:
    batch = gateway.batch(1, [Reading(device="fridge-1", at=CLOCK.now(), values={"t": 1.0})])
    await gateway.send(batch)
    await gateway.until_acked(batch)
    items = (await api.get("/devices", gateway="g1"))["items"]
    assert [(each["gateway"], each["device"], each["status"]) for each in items] == [("g1", "fridge-1", "ok")]
    place = {"latitude": 24.5, "longitude": 118.1, "expected_interval_s": 60}
    changed = await api.patch("/devices/g1/fridge-1", place, 1)
    assert changed == changed | place
    await api.patch("/devices/g1/fridge-1", place, 1, expected=412)
    cleared = await api.patch("/devices/g1/fridge-1", {"latitude": None, "longitude": None}, 2)
    assert (cleared["latitude"], cleared["expected_interval_s"]) == (None, 60)
    await api.patch("/devices/g1/fridge-1", {"latitude": 1}, 3, expected=422)
    await api.patch("/devices/g1/fridge-1", {"subject": str(uuid4())}, 3, expected=422)
    await api.get("/devices/g1/unknown", expected=404)


async def test_a_device_is_found_by_its_number_on_video_platforms(api: Domain, gateway: SimulatedGateway) -> None:
    batch = gateway.batch(1, [Reading(device=each, at=CLOCK.now(), values={"t": 1.0}) for each in ("cam-1", "cam-2")])
    await gateway.send(batch)
    await gateway.until_acked(batch)
    number = "35020300011320000001"
    changed = await api.patch("/devices/g1/cam-1", {"gb28181_id": number}, 1)
    assert changed["gb28181_id"] == number
    assert [each["device"] for each in (await api.get("/devices", gb28181_id=number))["items"]] == ["cam-1"]
    assert (await api.get("/devices", gb28181_id=number, gateway="g2"))["items"] == []
    await api.patch("/devices/g1/cam-2", {"gb28181_id": number}, 1, expected=409)
    await api.patch("/devices/g1/cam-1", {"gb28181_id": "35020300012000000001"}, 2, expected=422)
    await api.patch("/devices/g1/cam-1", {"gb28181_id": number}, 2)
    await api.patch("/devices/g1/cam-1", {"gb28181_id": None}, 3)
    await api.patch("/devices/g1/cam-2", {"gb28181_id": number}, 1)


async def test_a_command_is_sent_until_it_is_answered(api: Domain, gateway: SimulatedGateway) -> None:
    issued = await api.post("/commands", {"gateway": "g1", "device": "cam-1", "name": "snapshot", "args": {"n": 1}})
    assert issued["state"] == "pending"
    await gateway.say()
    async with asyncio.timeout(10):
        first = await gateway.commands.get()
        again = await gateway.commands.get()
    assert (str(first.id), first.device, first.args) == (issued["id"], "cam-1", {"n": 1})
    assert again.id == first.id
    await gateway.reply(Reply(id=first.id, result=Outcome.DONE, data={"image": "x"}, at=CLOCK.now()))
    done = await until(lambda: api.get(f"/commands/{first.id}"), lambda each: each["state"] == "done")
    assert (done["data"], done["times_sent"] >= 2) == ({"image": "x"}, True)
    await gateway.reply(Reply(id=first.id, result=Outcome.FAILED, at=CLOCK.now()))
    await gateway.reply(Reply(id=uuid4(), result=Outcome.DONE, at=CLOCK.now()))
    letters = await until(lambda: api.get("/dead-letters"), lambda each: bool(each["items"]))
    assert "no command" in letters["items"][0]["reason"]
    assert (await api.get(f"/commands/{first.id}"))["state"] == "done"


async def test_a_command_that_nobody_answers_expires(api: Domain, gateway: SimulatedGateway) -> None:
    assert gateway.name == "g1"
    soon = (CLOCK.now() + timedelta(seconds=0.5)).isoformat()
    issued = await api.post("/commands", {"gateway": "g1", "name": "restart", "expires_at": soon})
    await until(lambda: api.get(f"/commands/{issued['id']}"), lambda each: each["state"] == "expired")
    await api.post("/commands", {"gateway": "g9", "name": "restart"}, expected=404)
    await api.post(
        "/commands", {"gateway": "g1", "name": "restart", "expires_at": "2020-01-01T00:00:00Z"}, expected=422
    )
    await api.post("/commands", {"gateway": "g1", "name": "x", "args": {"a": "x" * 70_000}}, expected=422)


async def test_an_event_and_its_picture_are_shown(api: Domain, gateway: SimulatedGateway) -> None:
    picture = b"\xff\xd8\xff" + bytes(100)
    digest = hashlib.sha256(picture).hexdigest()
    event = Event(
        device="cam-1",
        at=CLOCK.now(),
        type="camera.covered",
        severity=Severity.MAJOR,
        id=CLOCK.new_id(),
        state=EventState.BEGAN,
        images=(digest,),
    )
    batch = gateway.batch(1, [event])
    await gateway.publish(topics.image("g1", digest), picture)
    await gateway.send(batch)
    await gateway.until_image(digest)
    await gateway.until_acked(batch)
    items = (await api.get("/events", device="cam-1", type="camera.covered"))["items"]
    assert [(each["id"], each["images"], each["subject"]) for each in items] == [(str(event.id), [digest], None)]
    assert (await api.get("/events", device="cam-2"))["items"] == []
    answer = await api.http.get(f"/media/{digest}")
    assert (answer.content, answer.headers["content-type"]) == (picture, "image/jpeg")
    assert "immutable" in answer.headers["cache-control"]
    await api.get(f"/media/{'0' * 64}", expected=404)


async def test_dead_letters_are_listed_shown_and_replayed(api: Domain, gateway: SimulatedGateway) -> None:
    first = gateway.batch(1, [Reading(device="d1", at=CLOCK.now(), values={"t": 1.0})])
    clash = gateway.batch(2, [Reading(device="d1", at=CLOCK.now(), values={"t": "warm", "other": 2.0})])
    for batch in (first, clash):
        await gateway.send(batch)
        await gateway.until_acked(batch)
    await gateway.publish(topics.batch("g1"), b"\xff\xfe")
    letters = (await until(lambda: api.get("/dead-letters"), lambda each: len(each["items"]) == 2))["items"]
    by_part = {each["part"]: each for each in letters}
    assert by_part.keys() == {"message", "value"}
    value = await api.get(f"/dead-letters/{by_part['value']['id']}")
    assert '"t":"warm"' in value["text"]
    message = await api.get(f"/dead-letters/{by_part['message']['id']}")
    assert base64.b64decode(message["base64"]) == b"\xff\xfe"
    for each in letters:
        replayed = await api.post(f"/dead-letters/{each['id']}/replay", None, expected=200)
        assert replayed["replayed_at"]
        assert replayed["replay_result"] != "stored"
    assert len((await api.get("/dead-letters"))["items"]) == 2
    await gateway.publish(topics.batch("g1"), b"\xff\xfe")
    await until(lambda: api.get(f"/dead-letters/{by_part['message']['id']}"), lambda each: each["times_seen"] == 2)
    await api.post(f"/dead-letters/{uuid4()}/replay", None, expected=404)


async def test_a_record_that_became_readable_is_replayed_once(api: Domain, chain: Chain) -> None:
    """A letter that an older hub could not read: here its bytes are put among the letters by hand."""
    await chain.register("g1")
    payload = b'{"kind":"reading","device":"d7","at":"2026-11-24T08:00:00Z","values":{"t":7.5}}'
    async with chain.database.write() as session:
        letter = Letter("g1", "diwang/v1/g1/up/batch", Part.RECORD, "unknown kind", payload, uuid4(), 0)
        await repository.keep_letters(session, CLOCK, CLOCK.now(), [letter])
    (item,) = (await api.get("/dead-letters", part="record", gateway="g1"))["items"]
    for _ in range(2):
        replayed = await api.post(f"/dead-letters/{item['id']}/replay", None, expected=200)
        assert replayed["replay_result"] == "stored"
    assert [(each.device, each.value) for each in await chain.telemetry.last()] == [("d7", 7.5)]
    assert [each["device"] for each in (await api.get("/devices"))["items"]] == ["d7"]


ODD_ARGS = [
    '{"a": NaN}',
    '{"a": -Infinity}',
    '{"a": "\\ud800"}',
    '{"\\udc00": 1}',
    '{"a": "\\u0000"}',
    '{"\\u0000": 1}',
]
ODD_ARGS += [f'{{"a": {10**30}}}', '{"a": ' + "[" * 300 + "]" * 300 + "}"]


@pytest.mark.parametrize("args", ODD_ARGS, ids=range(len(ODD_ARGS)))
async def test_what_no_box_could_read_is_not_sent(api: Domain, gateway: SimulatedGateway, args: str) -> None:
    await gateway.say()
    body = f'{{"gateway": "g1", "name": "snapshot", "args": {args}}}'
    answer = await api.http.post("/commands", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422, answer.text
    assert (await api.get("/commands"))["items"] == []


async def test_a_gateway_that_answers_nothing_does_not_stand_before_others(
    api: Domain, gateway: SimulatedGateway
) -> None:
    await gateway.say()
    made = await api.post("/gateways", {"gateway": "g2"})
    async with connected_gateway(made["broker"], "g2", made["password"]) as second:
        await second.say()
        await until(lambda: api.get("/gateways/g2"), lambda each: each["status"] == "online")
        for _ in range(dispatching._AT_ONCE + 1):
            await api.post("/commands", {"gateway": "g1", "name": "snapshot"})
        late = await api.post("/commands", {"gateway": "g2", "name": "snapshot"})
        await until(lambda: api.get(f"/commands/{late['id']}"), lambda each: each["times_sent"] > 0)
        async with asyncio.timeout(15):
            assert str((await second.commands.get()).id) == late["id"]


async def test_a_step_back_of_the_clock_does_not_hold_commands_back() -> None:
    now = CLOCK.now()
    sent = IssuedCommand(sent_at=now, times_sent=1)
    assert not dispatching._is_due(sent, now + timedelta(seconds=1))
    assert dispatching._is_due(sent, now + timedelta(seconds=3))
    assert dispatching._is_due(sent, now - timedelta(hours=1))
