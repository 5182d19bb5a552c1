"""A new type of device by JSON alone: its data flow, are made what it says, and are shown with their units."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hub.device_models import loading
from hub.device_models.live import LiveModels
from hub.ingest.recording import Recorder
from hub.ingest.replaying import Replayer
from hub.storage.database import Database
from protocol.clock import ManualClock, SystemClock
from protocol.messages import Reading
from tests.domain_api import Domain, serving
from tests.simulators.intake import PASSWORD, Chain, running_chain
from tests.simulators.mqtt_gateway import connected_gateway

CLOCK = SystemClock()
PROBE: dict[str, Any] = {
    "model": "ph-probe",
    "title": {"zh-CN": "酸碱度探头", "en": "pH probe"},
    "capability": ["measures"],
    "devices": ["ph-*"],
    "topic": "diwang/v1/<gateway>/up/batch",
    "readings": {
        "ph": {
            "type": "number",
            "unit": "pH",
            "label": {"zh-CN": "酸碱度", "en": "Acidity"},
            "minimum": 0,
            "maximum": 14,
            "precision": 2,
        },
        "cover": {"type": "flag", "label": {"zh-CN": "盖", "en": "Cover"}},
    },
    "owner": "集美所",
    "lifetime_days": 730,
    "vendor": {"name": "Acme", "tested": [1, 2]},
}


@pytest.fixture
async def chain(tmp_path: Path) -> AsyncIterator[Chain]:
    async with running_chain(tmp_path) as chain:
        await chain.register("g1")
        yield chain


@pytest.fixture
async def api(chain: Chain, tmp_path: Path) -> AsyncIterator[Domain]:
    """The application on the database and the telemetry of the chain."""
    folder = tmp_path / "api"
    folder.mkdir()
    async with serving(chain.database, CLOCK, folder) as api:
        replayer = Replayer(
            chain.telemetry,
            chain.media,
            lambda: Recorder(chain.database, api.parts.stream, CLOCK, ()),
            CLOCK,
            LiveModels(chain.database, CLOCK).conform,
        )
        api.http.app.state.parts = replace(api.parts, telemetry=chain.telemetry, replayer=replayer)
        yield api


async def report(chain: Chain, seq: int, **values: Any) -> None:
    async with connected_gateway(chain.address, "g1", PASSWORD) as gateway:
        batch = gateway.batch(seq, [Reading(device="ph-1", at=CLOCK.now(), values=values)])
        await gateway.send(batch)
        await gateway.until_acked(batch)


async def test_a_new_type_by_json_alone_flows_and_is_shown_with_its_unit(chain: Chain, api: Domain) -> None:
    made = await api.post("/device-models", PROBE)
    assert made["document"] == PROBE
    await report(chain, 1, ph="7.2", cover=1.0, firmware="1.4")
    assert {(each.name, each.value) for each in await chain.telemetry.last()} == {
        ("ph", 7.2),
        ("cover", True),
        ("firmware", "1.4"),
    }
    shown = {each["name"]: each for each in await api.every("/readings")}
    assert shown["ph"]["value"] == 7.2
    assert (shown["ph"]["unit"], shown["ph"]["label"]) == ("pH", {"zh-CN": "酸碱度", "en": "Acidity"})
    assert (shown["cover"]["value"], shown["cover"]["unit"], shown["cover"]["model"]) == (True, None, "ph-probe")
    assert "firmware" not in shown


async def test_what_no_such_device_measures_is_kept_aside_until_its_model_is_mended(chain: Chain, api: Domain) -> None:
    await api.post("/device-models", PROBE)
    await report(chain, 1, ph=14.5, cover=False)
    assert {each.name for each in await chain.telemetry.last()} == {"cover"}
    (letter,) = await api.every("/dead-letters")
    assert letter["reason"] == "ph: 14.5 pH is more than any device of this model measures (14 pH)"
    wider = {**PROBE, "readings": {**PROBE["readings"], "ph": {**PROBE["readings"]["ph"], "maximum": 15}}}
    answer = await api.http.put("/device-models/ph-probe", json=wider, headers={"If-Match": '"1"'})
    assert answer.status_code == 200, answer.text
    await api.post(f"/dead-letters/{letter['id']}/replay", {}, expected=200)
    assert {each.name: each.value for each in await chain.telemetry.last()}["ph"] == 14.5


async def test_a_model_may_be_set_on_a_device(chain: Chain, api: Domain) -> None:
    await api.post("/device-models", {**PROBE, "devices": []})
    await report(chain, 1, cover=True)
    assert await api.every("/readings") == []
    device = await api.patch("/devices/g1/ph-1", {"model": "ph-probe"}, 1)
    assert device["model"] == "ph-probe"
    assert [each["name"] for each in await api.every("/readings", gateway="g1", device="ph-1")] == ["cover"]
    refused = await api.patch("/devices/g1/ph-1", {"model": "no-such"}, 2, expected=422)
    assert refused["rule"] == "devices.unknown_model"


@pytest.fixture
async def models(database: Database, tmp_path: Path) -> AsyncIterator[Domain]:
    async with serving(database, ManualClock(), tmp_path) as api:
        yield api


async def test_a_model_is_changed_whole_and_by_who_has_seen_it(models: Domain) -> None:
    await models.post("/device-models", PROBE)
    assert (await models.post("/device-models", PROBE, expected=409))["rule"] == "device-models.exists"
    path = "/device-models/ph-probe"
    text = {**PROBE, "readings": {"ph": {"type": "text", "label": PROBE["title"]}}}
    for body, etag, status in ((PROBE, None, 428), (PROBE, '"2"', 412), (text, '"1"', 409), (PROBE, '"1"', 200)):
        headers = {"If-Match": etag} if etag else {}
        assert (await models.http.put(path, json=body, headers=headers)).status_code == status
    other = await models.http.put(path, json={**PROBE, "model": "other"}, headers={"If-Match": "*"})
    assert (other.status_code, other.json()["rule"]) == (422, "device-models.other-name")
    assert (await models.get(path))["version"] == 2


async def test_files_are_taken_in_and_do_not_undo_what_people_changed(models: Domain, tmp_path: Path) -> None:
    parts = models.parts
    folder = tmp_path / loading.FOLDER
    folder.mkdir()
    (folder / "fridge.toml").write_text('model = "fridge"\ntitle = { "zh-CN" = "冰箱", en = "Fridge" }\n')
    (folder / "broken.json").write_text("{")
    (folder / "notes.txt").write_text("not a model")
    for _ in range(2):
        await loading.load(parts.database, parts.clock, tmp_path)
    found = {each["model"]: each for each in await models.every("/device-models")}
    assert {"fridge", "thermometer", "scanner"} <= found.keys()
    assert {each["version"] for each in found.values()} == {1}
    (folder / "fridge.toml").write_text('model = "fridge"\ntitle = { "zh-CN" = "冷柜", en = "Freezer" }\n')
    await loading.load(parts.database, parts.clock, tmp_path)
    changed = await models.get("/device-models/fridge")
    assert (changed["version"], changed["document"]["title"]["en"]) == (2, "Freezer")
    mine = {"model": "fridge", "title": {"zh-CN": "我的", "en": "Mine"}}
    await models.http.put("/device-models/fridge", json=mine, headers={"If-Match": '"2"'})
    await loading.load(parts.database, parts.clock, tmp_path)
    assert (await models.get("/device-models/fridge"))["document"] == mine
