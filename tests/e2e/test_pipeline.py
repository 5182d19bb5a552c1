"""Bytes of a sensor in, an inspector told: the whole demonstration, watched from outside."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from tests.e2e.demonstration import Demo

ROOT = Path(__file__).parents[2]


def test_the_first_alert_reaches_the_inspector_within_a_minute_of_the_start(demo: Demo) -> None:
    told = demo.line(r"inspector .*kitchen-cam-1", 75)
    assert "镜头被遮挡" in told.string
    assert demo.printed_at(told.string) - demo.started < 60


def test_the_alert_is_linked_to_subject_grid_officer_and_archive(demo: Demo) -> None:
    demo.line(r"inspector .*kitchen-cam-1", 75)
    alert = next(item for item in demo.get("/alerts")["items"] if item["type"] == "camera.covered")
    assert alert["subject"]
    assert alert["grid"]
    assert alert["officer"]
    archive = demo.get(f"/subjects/{alert['subject']}/archive")["items"]
    assert any(alert["id"] in entry["ref"] or "covered" in json.dumps(entry) for entry in archive)
    whole = demo.get(f"/alerts/{alert['id']}")
    assert whole["images"]
    ledger = demo.get("/notifications")["items"]
    assert any(line["alert"] == alert["id"] and line["state"] == "accepted" for line in ledger)


def test_the_frozen_camera_and_the_officer_who_left_are_told_too(demo: Demo) -> None:
    demo.line(r"inspector .*画面冻结", 120)
    demo.line(r"inspector .*离开责任网格", 180)
    told = {item["type"] for item in demo.get("/alerts")["items"] if item["officer"]}
    assert {"camera.frozen", "location.outside-grid"} <= told


def test_the_track_is_there_as_geojson(demo: Demo) -> None:
    now = datetime.now(UTC)
    span = {"from": (now - timedelta(hours=1)).isoformat(), "to": (now + timedelta(hours=1)).isoformat()}
    track = demo.get("/positions", device="patrol-gps", **span)
    assert track["type"] == "FeatureCollection"
    longitudes = [feature["geometry"]["coordinates"][0] for feature in track["features"]]
    assert longitudes
    assert all(118.0 < longitude < 118.2 for longitude in longitudes)


def test_a_stranger_joins_with_the_script_of_the_documentation(demo: Demo) -> None:
    made = demo.post("/gateways", {"gateway": f"stranger-{int(time.time())}"}).json()
    broker = urlsplit(demo.broker)
    temperature = "4.25"
    script = [sys.executable, str(ROOT / "docs/join.py"), str(broker.hostname), str(broker.port)]
    done = subprocess.run(
        [*script, made["gateway"], made["password"], temperature],
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    last = demo.get("/telemetry/last", gateway=made["gateway"])["items"]
    assert [(item["device"], item["name"], item["value"]) for item in last] == [("fridge-1", "temperature_c", 4.25)]


def test_the_script_of_the_documentation_has_forty_lines() -> None:
    lines = (ROOT / "docs/join.py").read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if line.strip()]) <= 40


def test_no_secret_is_in_any_log(demo: Demo) -> None:
    demo.line(r"inspector .*kitchen-cam-1", 75)
    secrets = [demo.api_key]
    secrets += [(demo.data / name).read_text() for name in ("broker-password", "webhook-secret")]
    logs = {path: path.read_text(errors="replace") for path in (demo.data / "logs").iterdir()}
    assert [(path.name) for path, text in logs.items() for secret in secrets if secret in text] == []


def test_ctrl_c_leaves_nothing_behind_and_a_second_run_goes_on(tmp_path: Path) -> None:
    first = Demo.start(tmp_path / "demo")
    made = first.get("/officers")["items"]
    assert first.interrupt() == []
    assert first.process.returncode == 0
    second = Demo.start(tmp_path / "demo")
    try:
        assert second.api_key == first.api_key
        assert second.get("/officers")["items"] == made
    finally:
        assert second.interrupt() == []


def test_killing_the_demonstration_leaves_no_program_running(tmp_path: Path) -> None:
    killed = Demo.start(tmp_path / "demo")
    programs = killed.programs()
    assert len(programs) >= 4
    killed.process.send_signal(signal.SIGKILL)
    killed.process.wait(timeout=10)
    _, alive = psutil.wait_procs(programs, timeout=15)
    assert alive == []


@pytest.mark.parametrize("program", ["hub", "edge"])
def test_a_program_that_ends_by_itself_is_reported(program: str, tmp_path: Path) -> None:
    demo = Demo.start(tmp_path / "demo")
    victim = next(
        each
        for each in demo.programs()
        if re.search(rf"\b(diwang {program}|{program}\.process)\b", " ".join(each.cmdline()))
    )
    victim.kill()
    demo.line(rf"the demonstration cannot go on: {program} ended", 30)
    assert demo.process.wait(timeout=30) == 1
    shutil.rmtree(tmp_path / "demo")
