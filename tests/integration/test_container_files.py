"""The container files: linted as files, and their settings run by the same programs without containers."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import yaml

from protocol import codec, topics
from protocol.clock import SystemClock
from protocol.messages import Reading
from tests.simulators.edge_process import EdgeProcess
from tests.simulators.influxd import TOKEN, Influxd, V2Front
from tests.simulators.mosquitto import Mosquitto
from tests.simulators.mqtt_gateway import connected_gateway
from tests.simulators.ports import free_port

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
COMPOSE = ["compose.box.yaml", "compose.site.yaml"]
HUB = [sys.executable, "-m", "diwang", "hub"]
DEVICES = """
[devices.counter]
driver = "tests.simulators.load_driver:SPEC"
options = { rate = 20, total = 40 }
"""


def compose(name: str) -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load((DOCKER / name).read_text())
    return parsed


def adapted(source: Path, target: Path, places: Mapping[str, str], more: str = "") -> Path:
    """Copy a file with the places of a container replaced by places of this machine, each of which it must name."""
    text = source.read_text()
    for name, place in places.items():
        assert name in text, f"{source.name} does not name {name}"
        text = text.replace(name, place)
    target.write_text(text + more)
    return target


@pytest.mark.parametrize("name", ["hub.Dockerfile", "edge.Dockerfile"])
def test_a_linter_finds_nothing_in_a_dockerfile(name: str) -> None:
    linter = Path(sys.executable).with_name("hadolint")
    ran = subprocess.run([linter, "--no-color", DOCKER / name], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "")


@pytest.mark.parametrize("name", ["hub.Dockerfile", "edge.Dockerfile"])
def test_an_image_runs_without_rights_and_installs_by_hashes(name: str) -> None:
    lines = (DOCKER / name).read_text()
    final = lines[lines.rindex("\nFROM ") :]
    assert "\nUSER 10001:10001\n" in final
    assert "--require-hashes" in lines
    lock = ROOT / "requirements" / f"{name.partition('.')[0]}.lock"
    assert f"COPY requirements/{lock.name}" in lines
    pinned = [line for line in lock.read_text().splitlines() if line and line[0].isalnum()]
    assert pinned
    assert all("==" in line for line in pinned)


@pytest.mark.parametrize("name", COMPOSE)
def test_compose_itself_accepts_the_file(name: str) -> None:
    program = shutil.which("docker-compose")
    assert program, "missing: docker-compose; run: sudo apt-get install -y --no-install-recommends docker-compose"
    ran = subprocess.run(
        [program, "-f", DOCKER / name, "config", "-q"], capture_output=True, text=True, check=False, env={**os.environ}
    )
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize("name", COMPOSE)
def test_everything_that_is_mounted_or_built_exists_and_nobody_has_more_rights_than_needed(name: str) -> None:
    file = compose(name)
    for service in file["services"].values():
        for volume in service["volumes"]:
            source = volume.partition(":")[0]
            if source.startswith("./secrets/"):
                continue  # drawn by the site
            assert (DOCKER / source).exists() if source.startswith(".") else source in file["volumes"], volume
        if build := service.get("build"):
            assert (ROOT / build["dockerfile"]).exists()
            assert service["read_only"] is True
            assert service["cap_drop"] == ["ALL"]
        for mounted in service.get("secrets", ()):
            assert file["secrets"][mounted]["file"].startswith("./secrets/")
        secret = [name for name in service.get("environment", {}) if "PASSWORD" in name or "TOKEN" in name]
        assert all(name.endswith("_FILE") for name in secret)


def first_key(data: list[str]) -> str:
    ran = subprocess.run(
        [*HUB, "keys", "create", *data, "--name", "installer", "--scope", "admin"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip().splitlines()[-1]


@asynccontextmanager
async def hub(
    folder: Path, config: Path, http_port: int, secrets: Mapping[str, str]
) -> AsyncIterator[httpx.AsyncClient]:
    """Run the hub as the image does, with its first key made beforehand."""
    data = ["--data", str(folder / "hub"), "--config", str(config)]
    key = first_key(data)
    with (folder / "hub.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *HUB, "run", *data, stdout=asyncio.subprocess.PIPE, stderr=log, env={**os.environ, **secrets}
        )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            while not (line := await process.stdout.readline()).startswith(b"DIWANG_HUB_READY"):
                assert line, (folder / "hub.log").read_text()
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{http_port}", headers=headers, trust_env=False
        ) as client:
            yield client
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.communicate()


async def register(client: httpx.AsyncClient, gateway: str) -> str:
    answer = await client.post("/api/v1/gateways", json={"gateway": gateway}, headers={"Idempotency-Key": gateway})
    assert answer.status_code == 201, answer.text
    password: str = answer.json()["password"]
    return password


async def counted(client: httpx.AsyncClient, within_s: float = 60) -> float:
    """Wait until the device's last number has reached the store, and return it."""
    async with asyncio.timeout(within_s):
        while True:
            answer = await client.get("/api/v1/telemetry/last", params={"gateway": "box-1", "device": "counter"})
            items = {each["name"]: each["value"] for each in answer.json()["items"]}
            if items.get("n") == 40:
                return float(items["n"])
            await asyncio.sleep(0.1)


async def test_one_box_works_with_the_settings_of_its_containers(tmp_path: Path) -> None:
    http, mqtt, door, mqtts = (free_port() for _ in range(4))
    config = adapted(
        DOCKER / "box" / "hub.toml",
        tmp_path / "hub.toml",
        {
            '"0.0.0.0"': '"127.0.0.1"',
            "port = 8080": f"port = {http}",
            "port = 8443": f"port = {door}",
            "mqtts_port = 8883": f"mqtts_port = {mqtts}",
            "mqtt_port = 1883": f"mqtt_port = {mqtt}",
            "mqtt://hub:1883": f"mqtt://127.0.0.1:{mqtt}",
        },
    )
    async with hub(tmp_path, config, http, {}) as client:
        (tmp_path / "password").write_text(await register(client, "box-1"))
        places = {
            "/var/lib/diwang-edge": str(tmp_path / "edge"),
            "mqtt://hub:1883": f"mqtt://127.0.0.1:{mqtt}",
            "/run/secrets/gateway_password": str(tmp_path / "password"),
        }
        edge = await EdgeProcess(adapted(DOCKER / "box" / "site.toml", tmp_path / "site.toml", places, DEVICES)).start()
        assert await counted(client) == 40
        assert await edge.end() == 0


def accounts(file: Path, passwords: Mapping[str, str]) -> None:
    file.write_text("".join(f"{name}:{password}\n" for name, password in passwords.items()))
    program = shutil.which("mosquitto_passwd")
    assert program, "missing: mosquitto_passwd; run: sudo apt-get install -y mosquitto"
    subprocess.run([program, "-U", file], check=True)


async def test_a_site_with_mosquitto_and_influxdb_works_with_the_settings_of_its_containers(tmp_path: Path) -> None:
    http, mqtt, door, mqtts = (free_port() for _ in range(4))
    (tmp_path / "mosquitto").mkdir()
    accounts(
        tmp_path / "mosquitto" / "passwords", {"hub": "hub-secret", "box-1": "box-secret", "box-2": "other-secret"}
    )
    shutil.copy(DOCKER / "site" / "acl", tmp_path / "mosquitto" / "acl")
    adapted(
        DOCKER / "site" / "mosquitto.conf",
        tmp_path / "mosquitto" / "mosquitto.conf",
        {
            "listener 1883": f"listener {mqtt} 127.0.0.1",
            "/mosquitto/config/": f"{tmp_path}/mosquitto/",
            "/mosquitto/data/": f"{tmp_path}/mosquitto/",
        },
        more="user root\n",
    )
    broker, server = Mosquitto(tmp_path / "mosquitto", mqtt), Influxd(tmp_path / "influx")
    server.query('CREATE DATABASE "diwang"')
    try:
        await broker.start()
        with V2Front(server) as front:
            config = adapted(
                DOCKER / "site" / "hub.toml",
                tmp_path / "hub.toml",
                {
                    '"0.0.0.0"': '"127.0.0.1"',
                    "port = 8080": f"port = {http}",
                    "port = 8443": f"port = {door}",
                    "mqtts_port = 8883": f"mqtts_port = {mqtts}",
                    "mqtt://mosquitto:1883": f"mqtt://127.0.0.1:{mqtt}",
                    "http://influxdb:8086": front.url,
                },
            )
            secrets = {"DIWANG_HUB_BROKER_PASSWORD": "hub-secret", "DIWANG_HUB_TELEMETRY_TOKEN": TOKEN}
            async with hub(tmp_path, config, http, secrets) as client:
                for gateway in ("box-1", "box-2"):
                    await register(client, gateway)
                await the_site_keeps_gateways_apart(client, mqtt)
                (tmp_path / "password").write_text("box-secret")
                places = {
                    "/var/lib/diwang-edge": str(tmp_path / "edge"),
                    "mqtt://mosquitto:1883": f"mqtt://127.0.0.1:{mqtt}",
                    "/run/secrets/gateway_password": str(tmp_path / "password"),
                }
                site = adapted(DOCKER / "site" / "site.toml", tmp_path / "site.toml", places, DEVICES)
                edge = await EdgeProcess(site).start()
                assert await counted(client) == 40
                assert await edge.end() == 0
    finally:
        await broker.kill()
        server.stop()


async def the_site_keeps_gateways_apart(client: httpx.AsyncClient, mqtt: int) -> None:
    """What box-2 says under the name of box-1 goes nowhere; what it says under its own name arrives."""
    url = f"mqtt://127.0.0.1:{mqtt}"
    async with connected_gateway(url, "box-2", "other-secret") as gateway:
        now = SystemClock().now()
        forged = gateway.batch(1, [Reading(device="forged", at=now, values={"n": 1.0})])
        forged = msgspec.structs.replace(forged, gateway="box-1")
        await gateway.publish(topics.batch("box-1"), codec.encode(forged))
        own = gateway.batch(2, [Reading(device="own", at=now, values={"n": 1.0})])
        async with asyncio.timeout(30):
            while own.id not in gateway.acked:  # as a box does, until the hub has heard of it
                await gateway.send(own)
                with suppress(TimeoutError):
                    await gateway.until_acked(own, within_s=1)
    items = (await client.get("/api/v1/telemetry/last")).json()["items"]
    assert [(each["gateway"], each["device"]) for each in items] == [("box-2", "own")]
