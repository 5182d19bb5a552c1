"""Certificates of seconds, on both sides, while a box reports without a pause: every record arrives."""

import asyncio
from contextlib import closing
from pathlib import Path
from typing import Any

from edge.enrolment import enrolling
from tests.integration.test_hub_process import running
from tests.simulators.edge_process import EdgeProcess
from tests.simulators.secure_hub import SecureHub

LIFE_S = 24
ROTATIONS = 1
SITE = """\
[gateway]
id = "turning"
[hub]
broker = "mqtt://nowhere"
[uplink]
ack_timeout_s = 0.5
timeout_s = 2
[devices.a]
driver = "tests.simulators.load_driver:SPEC"
thin = false
options = { rate = 40 }
"""


async def test_nothing_is_lost_while_certificates_turn_over(tmp_path: Path) -> None:
    settings = tmp_path / "hub.toml"
    settings.write_text(f"[tls]\ncertificate_days = {LIFE_S / 86_400}\n")
    (tmp_path / "clients").mkdir()
    site = tmp_path / "site.toml"
    site.write_text(SITE)
    with (
        running(tmp_path / "data", "--config", str(settings)) as process,
        closing(SecureHub(process.ready, process.first_key or "", tmp_path / "clients")) as hub,
    ):
        await enrolling.enrol(hub.order("turning")["ticket"], site, lambda *_: None)
        edge = await EdgeProcess(site).start()
        try:
            async with asyncio.timeout(LIFE_S * (ROTATIONS + 3)):
                while len(confirmed(hub)) <= ROTATIONS:  # noqa: ASYNC110 - another process turns them
                    await asyncio.sleep(0.5)
            reached = edge.numbers("a", "kept")[-1]
            async with asyncio.timeout(30):
                while reached not in (stored := values(hub)):  # noqa: ASYNC110 - as above
                    await asyncio.sleep(0.2)
        finally:
            assert await edge.end() == 0
        kept = [number for number in edge.numbers("a", "kept") if number <= reached]
        assert set(kept) <= set(stored)
        assert hub.api.get("/gateways/turning").json()["gaps"] == []
        log = edge.log.read_text()
        assert log.count("identity_renewed") >= ROTATIONS
        assert "PRIVATE KEY" not in log
    hub_log = (tmp_path / "hub.log").read_text()
    assert hub_log.count("server_certificate_made") > ROTATIONS, "the listeners turned over as well"
    assert "Traceback" not in hub_log


def confirmed(hub: SecureHub) -> list[dict[str, Any]]:
    """The certificates that the box has used, those that are over too."""
    items = hub.api.get("/certificates", params={"gateway": "turning"}).json()["items"]
    return [each for each in items if each["confirmed_at"] is not None]


def values(hub: SecureHub) -> list[int]:
    window = {
        "gateway": "turning",
        "device": "a",
        "name": "n",
        "from": "2020-01-01T00:00:00Z",
        "to": "2100-01-01T00:00:00Z",
    }
    answer = hub.api.get("/telemetry", params=window)
    assert answer.status_code == 200, answer.text
    return [int(value) for _, value in answer.json()["points"]]
