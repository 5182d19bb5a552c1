"""What a box is to run, over HTTP: checked, numbered, compared with what it says it runs."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub.accounts.scopes import Scope
from hub.app import create_app
from hub.parts import Parts
from hub.stream import repository as stream
from tests.serving import Api, new_key

GPS = '[devices.gps-1]\ndriver = "gps.nmea"\noptions = { source = { kind = "serial", port = "/dev/diwang/gps" } }\n'


class Configs:
    """The API as an operator uses it, and the door as the box `g1` does."""

    def __init__(self, api: Api, password: str) -> None:
        self.api = api
        self.box = httpx.AsyncClient(
            transport=httpx.ASGITransport(api.app), base_url="http://hub/gateway/v1", auth=("g1", password)
        )

    async def put(self, content: str, version: int, *, gateway: str = "g1", **more: Any) -> httpx.Response:
        body = {"content": content, "reason": "new camera", **more}
        return await self.api.put(f"/api/v1/configs/{gateway}", json=body, headers={"If-Match": f'"{version}"'})

    async def report(self, **said: Any) -> httpx.Response:
        body = {"bundle": "", "outcome": "running", "agent": "1.0", "config": {}, **said}
        return await self.box.put("/configs/reported", json=body)

    async def get(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.api.get("/api/v1/configs/g1")).json()
        return found


@pytest.fixture
async def configs(parts: Parts) -> AsyncIterator[Configs]:
    async with Api(create_app(parts), await new_key(parts, Scope.ADMIN)) as api:
        password = (await api.post("/api/v1/gateways", json={"gateway": "g1"})).json()["password"]
        yield Configs(api, password)


async def test_every_change_is_a_version_with_its_author_and_reason(configs: Configs) -> None:
    first = await configs.put(GPS, 0)
    assert first.status_code == 200, first.text
    assert first.headers["ETag"] == '"1"'
    assert (await configs.put("# later\n" + GPS, 0)).status_code == 412
    assert (await configs.put("# later\n" + GPS, 1)).status_code == 200
    unseen = await configs.api.put("/api/v1/configs/g1", json={"content": "", "reason": "x"})
    assert unseen.status_code == 428
    versions = (await configs.api.get("/api/v1/configs/g1/versions")).json()["items"]
    assert [(each["version"], each["author"], each["reason"]) for each in versions] == [
        (2, "test", "new camera"),
        (1, "test", "new camera"),
    ]
    assert versions[1] == (await configs.api.get("/api/v1/configs/g1/versions/1")).json()
    assert (await configs.api.get("/api/v1/configs/g1/versions/3")).status_code == 404
    assert versions[0]["bundle"].startswith("2-")
    commands = (await configs.api.get("/api/v1/commands?gateway=g1")).json()["items"]
    assert [each["name"] for each in commands] == ["configure", "configure"]
    assert commands[0]["args"] == {"bundle": versions[0]["bundle"]}


async def test_what_a_box_reports_is_compared_with_what_it_is_to_run(configs: Configs) -> None:
    assert (await configs.get())["standing"] == "unmanaged"
    config = {"devices": {"gps-1": {"driver": "gps.nmea", "options": {"source": {"kind": "tcp", "port": 1}}}}}
    assert (await configs.report(config=config)).status_code == 204
    desired = (await configs.put(GPS, 0)).json()["desired"]
    bundle, asked_at = desired["bundle"], desired["created_at"]
    found = await configs.get()
    assert found["standing"] == "pending"
    source = "devices.gps-1.options.source"
    assert found["differences"] == [
        {"path": f"{source}.kind", "desired": "serial", "reported": "tcp", "since": asked_at},
        {"path": f"{source}.port", "desired": "/dev/diwang/gps", "reported": 1, "since": asked_at},
    ]
    for said, standing in (
        ({"outcome": "trying", "bundle": bundle}, "trying"),
        ({"outcome": "running", "bundle": bundle}, "in_step"),
        ({"outcome": "refused", "about": bundle, "detail": "no driver"}, "refused"),
        ({"outcome": "returned", "about": bundle, "detail": "hub not heard"}, "returned"),
        ({"outcome": "returned", "about": "1-aaaaaaaaaaaa", "bundle": bundle}, "in_step"),
    ):
        await configs.report(**said)
        assert (await configs.get())["standing"] == standing
        (line,) = (await configs.api.get("/api/v1/configs")).json()["items"]
        assert (line["gateway"], line["standing"], line["version"]) == ("g1", standing, 1)


async def test_a_difference_counts_from_when_it_was_asked_for_first(configs: Configs) -> None:
    config = {"devices": {"gps-1": {"driver": "gps.nmea", "options": {"source": {"kind": "serial", "port": "COM1"}}}}}
    await configs.report(config=config)
    asked = [(await configs.put(text, number)).json() for number, text in enumerate((GPS, "", GPS, "# same\n" + GPS))]
    assert [each["since"] for each in asked[-1]["differences"]] == [asked[2]["desired"]["created_at"]]
    more = (await configs.put(GPS + "[health]\ninterval_s = 5\n", 4)).json()
    assert {each["path"]: each["since"] for each in more["differences"]} == {
        "devices.gps-1.options.source.port": asked[2]["desired"]["created_at"],
        "health": more["desired"]["created_at"],
    }
    assert (await configs.get())["differences"] == more["differences"]


async def test_who_watches_hears_of_what_is_asked_and_of_what_becomes_of_it(configs: Configs) -> None:
    bundle = (await configs.put(GPS, 0)).json()["desired"]["bundle"]
    await configs.report(outcome="refused", about=bundle, detail="no driver")
    async with configs.api.parts.database.read() as session:
        heard = [row.data for row in await stream.after(session, 0, 10) if row.kind == "config"]
    assert heard == [
        {"gateway": "g1", "desired": bundle},
        {"gateway": "g1", "bundle": "", "outcome": "refused", "about": bundle},
    ]


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ("= 1", "configs.not_toml"),
        ("a = [" + "[" * 3000, "configs.not_toml"),
        ('[hub]\nbroker = "mqtt://elsewhere"', "configs.of_the_box"),
        ('[gateway]\nid = "g2"', "configs.of_the_box"),
        ("[configuration]\nfrom_hub = false", "configs.of_the_box"),
        ('[updates]\nslots = "/tmp/x"', "configs.of_the_box"),
        ("devices = 7", "configs.devices"),
        ('[devices."a b"]\ndriver = "camera"', "configs.devices"),
        ("[devices.a]\n", "configs.devices"),
        ('[devices.a]\ndriver = "camera"\noptions = 3', "configs.devices"),
        ('[devices.a]\ndriver = "camera"\noptions = { password = "hunter2" }', "configs.secret"),
        ('[devices.a]\ndriver = "camera"\noptions = { url = "rtsp://admin:hunter2@10.0.0.2/" }', "configs.secret"),
        ('[devices.a]\ndriver = "x"\noptions = { list = [{ bind_key = "hunter2" }] }', "configs.secret"),
        ('[devices.a]\ndriver = "gps.nmea"\noptions = { profile = "sundial" }', "configs.unknown_profile"),
        ('[devices.a]\ndriver = "camera"\noptions = { profile = "../gps/u-blox-m8" }', "configs.unknown_profile"),
    ],
)
async def test_what_no_box_can_mend_is_refused_before_it_is_signed(configs: Configs, content: str, rule: str) -> None:
    answer = await configs.put(content, 0)
    assert answer.status_code == 422
    assert answer.json()["rule"] == rule
    assert "hunter2" not in answer.text
    assert (await configs.get())["desired"] is None


async def test_names_of_files_that_hold_secrets_are_no_secrets(configs: Configs) -> None:
    named = 'options = { url = "rtsp://10.0.0.2/", username = "u", password_file = "/run/secrets/cam" }\n'
    assert (await configs.put('[devices.a]\ndriver = "camera"\n' + named, 0)).status_code == 200


async def test_a_release_that_nobody_signed_is_refused(configs: Configs) -> None:
    answer = await configs.put(GPS, 0, release="9.9")
    assert (answer.status_code, answer.json()["rule"]) == (422, "configs.unknown_release")


async def test_a_gateway_that_is_not_or_no_longer_registered_has_no_configuration(configs: Configs) -> None:
    assert (await configs.put(GPS, 0, gateway="g9")).status_code == 404
    assert (await configs.api.get("/api/v1/configs/g9")).status_code == 404
    await configs.put(GPS, 0)
    await configs.api.delete("/api/v1/gateways/g1")
    assert (await configs.put(GPS, 1)).status_code == 404
    assert (await configs.report()).status_code == 401
    assert (await configs.api.get("/api/v1/configs")).json()["items"] == []


async def test_reports_are_bounded_and_of_the_box_that_calls(configs: Configs) -> None:
    deep: Any = 1
    for _ in range(60):
        deep = {"a": deep}
    for wrong in ({"config": deep}, {"outcome": "fine"}, {"bundle": "x"}, {"detail": "x" * 5000}, {"more": 1}):
        assert (await configs.report(**wrong)).status_code == 422, wrong
    stranger = httpx.AsyncClient(
        transport=httpx.ASGITransport(configs.api.app), base_url="http://hub", auth=("g1", "wrong")
    )
    assert (await stranger.get("/gateway/v1/configs/metadata/timestamp.json")).status_code == 401


async def test_keys_without_the_scope_neither_read_nor_write(configs: Configs) -> None:
    reader = await configs.api.with_scopes(Scope.DEVICES_READ)
    assert (await reader.get("/api/v1/configs/g1")).status_code == 200
    body = {"content": "", "reason": "x"}
    denied = await reader.put("/api/v1/configs/g1", json=body, headers={"If-Match": "*"})
    assert denied.status_code == 403
    assert (await (await configs.api.with_scopes()).get("/api/v1/configs")).status_code == 403


async def test_the_signing_keys_are_for_the_hub_alone_and_told_to_nobody(configs: Configs, tmp_path: Path) -> None:
    await configs.put(GPS, 0)
    keys = sorted(tmp_path.rglob("signing/*.pem"))  # noqa: ASYNC240
    assert len(keys) == 5
    assert {file.stat().st_mode & 0o777 for file in keys} == {0o600}
    secrets = [file.read_text().splitlines()[1] for file in keys]
    answers = [await configs.api.get(path) for path in ("/api/v1/configs", "/api/v1/configs/g1", "/api/v1/commands")]
    answers += [await configs.box.get(f"/configs/metadata/{name}.json") for name in ("1.root", "timestamp")]
    assert all(answer.status_code == 200 for answer in answers)
    database = (tmp_path / "hub.db").read_bytes() if (tmp_path / "hub.db").exists() else b""
    for secret in secrets:
        assert all(secret not in answer.text for answer in answers)
        assert secret.encode() not in database
