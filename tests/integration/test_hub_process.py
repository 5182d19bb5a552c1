"""The hub as a process: says where it is, serves, stops cleanly, starts again on the same data, and checks itself."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import pytest

COMMAND = [sys.executable, "-m", "diwang", "hub"]
START_PATIENCE_S = 40
STOP_PATIENCE_S = 10


class Hub:
    """A running `diwang hub run`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.token: str | None = None
        self.lines: list[str] = []
        assert process.stdout is not None
        for line in process.stdout:
            self.lines.append(line)
            if found := re.match(r"DIWANG_SETUP_TOKEN (\S+)", line):
                self.token = found[1]
            if found := re.match(r"DIWANG_HUB_READY (.*)", line):
                self.ready: dict[str, str] = json.loads(found[1])
                return
        raise AssertionError("".join(self.lines))

    @cached_property
    def first_key(self) -> str | None:
        """The first administrator's key, once the token of the console was exchanged; None for a hub that has one."""
        if self.token is None:
            return None
        answer = self.set_up(self.token)
        assert answer.status_code == 201, answer.text
        key: str = answer.json()["key"]
        return key

    def set_up(self, token: str) -> httpx.Response:
        body = {"token": token, "name": "office"}
        return httpx.post(f"{self.ready['hub']}/setup", json=body, trust_env=False)

    def get(self, path: str, key: str | None = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.get(self.ready["hub"] + path, headers=headers, trust_env=False)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Return the exit status and how long it took."""
        started = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(STOP_PATIENCE_S), time.monotonic() - started


@contextmanager
def running(data: Path, *options: str) -> Iterator[Hub]:
    log = (data.parent / "hub.log").open("a")
    command = [*COMMAND, "run", "--data", str(data), "--port", "0", "--mqtt-port", "0", *options]
    with log, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as process:
        try:
            yield Hub(process)
        finally:
            process.kill()


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=START_PATIENCE_S)


def ready(hub: Hub) -> dict[str, Any]:
    answer: dict[str, Any] = hub.get("/readyz").json()
    return answer


def test_it_starts_serves_stops_and_starts_again(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running(data) as hub:
        assert hub.first_key
        assert ready(hub) == {"status": "ready", "missing": {}}
        assert hub.ready["broker"].startswith("mqtt://127.0.0.1:")
        assert hub.get("/api/v1/whoami", hub.first_key).json()["scopes"] == ["admin"]
        with httpx.stream(
            "GET",
            hub.ready["hub"] + "/api/v1/stream",
            headers={"Authorization": f"Bearer {hub.first_key}"},
            trust_env=False,
        ) as stream:
            lines = stream.iter_lines()
            assert next(lines) == "event: hello"
            status, took_s = hub.stop()
            assert [line for line in lines if line.startswith("event")] == []
        assert status == 0, (tmp_path / "hub.log").read_text()[-4000:]
        assert took_s < STOP_PATIENCE_S / 2
    with running(data) as again:
        assert again.token is None
        assert again.get("/api/v1/whoami", hub.first_key).status_code == 200
        assert again.stop(signal.SIGINT)[0] == 0
    log = (tmp_path / "hub.log").read_text()
    assert hub.first_key not in log
    assert hub.token is not None
    assert hub.token not in log
    assert "Traceback" not in log
    assert data.stat().st_mode & 0o077 == 0


def test_it_comes_back_after_a_kill(tmp_path: Path) -> None:
    with running(tmp_path / "data") as hub:
        assert hub.first_key
        hub.process.send_signal(signal.SIGKILL)
        hub.process.wait()
    with running(tmp_path / "data") as again:
        assert ready(again)["status"] == "ready"
        assert again.get("/api/v1/whoami", hub.first_key).status_code == 200


def test_keys_on_the_data_folder(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    made = command("keys", "create", "--data", data, "--name", "老王's tablet", "--scope", "alerts:read", "--days", "1")
    key = made.stdout.strip()
    assert re.fullmatch(r"dw_[0-9a-f]{12}_[0-9a-f]{64}", key), made.stderr
    listed = command("keys", "list", "--data", data).stdout
    assert key.split("_")[1] in listed
    assert "老王's tablet" in listed
    assert key not in listed
    with running(tmp_path / "data") as hub:
        assert hub.token is not None, "a key that may read alerts is no administrator's"
        assert hub.get("/api/v1/whoami", key).json()["scopes"] == ["alerts:read"]
        assert command("keys", "revoke", "--data", data, key.split("_")[1]).returncode == 0
        deadline = time.monotonic() + 5
        while hub.get("/api/v1/whoami", key).status_code != 401:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    assert "revoked" in command("keys", "list", "--data", data).stdout
    assert command("keys", "revoke", "--data", data, "000000000000").returncode == 1
    wrong = command("keys", "create", "--data", data, "--name", "n", "--scope", "fly")
    assert wrong.returncode == 1
    assert "telemetry:read" in wrong.stderr


def test_check_says_what_is_wrong(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    good = tmp_path / "good.toml"
    good.write_text('[http]\nport = 0\n[retention]\nreadings = [{device = "*", name = "*", days = 30}]\n')
    checked = command("run", "--data", data, "--config", str(good), "--check")
    assert (checked.returncode, checked.stdout) == (0, "the settings are good\n")
    bad = tmp_path / "bad.toml"
    bad.write_text('[http]\nprot = 1\nport = 99999\n[broker]\nkind = "kafka"\n')
    refused = command("run", "--data", data, "--config", str(bad), "--check")
    assert refused.returncode == 2
    for name in ("http.prot", "http.port", "broker.kind"):
        assert name in refused.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("text", ["[http", '[database]\nurl = "mysql://x"\n', "data = 3\n"])
def test_files_that_are_no_settings(tmp_path: Path, text: str) -> None:
    file = tmp_path / "hub.toml"
    file.write_text(text)
    checked = command("run", "--data", str(tmp_path / "data"), "--config", str(file), "--check")
    assert checked.returncode == (0 if text == "data = 3\n" else 2)
    assert "Traceback" not in checked.stderr


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with running(tmp_path / "data") as hub:
        port = hub.ready["hub"].rsplit(":", 1)[1]
        refused = command("run", "--data", str(tmp_path / "other"), "--port", port)
    assert refused.returncode == 2
    assert "cannot listen" in refused.stderr


def test_one_data_folder_is_for_one_hub(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running(data) as hub:
        refused = command("run", "--data", str(data), "--port", "0", "--mqtt-port", "0")
        assert refused.returncode == 2
        assert "another hub runs on the data folder" in refused.stderr
        assert "Traceback" not in refused.stderr
        ready = hub.get("/readyz")
        assert ready.json() == {"status": "ready", "missing": {}}
        assert hub.stop()[0] == 0
    with running(data) as hub:
        assert hub.stop()[0] == 0


def test_a_data_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused = command("run", "--data", str(tmp_path / "file" / "data"), "--port", "0", "--mqtt-port", "0")
    assert refused.returncode == 2
    refused_too = command("keys", "list", "--data", str(tmp_path / "file" / "data"))
    assert refused_too.returncode == 1
    for answer in (refused, refused_too):
        assert "cannot be written" in answer.stderr
        assert "Traceback" not in answer.stderr


def test_a_broker_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        refused = command("run", "--data", str(tmp_path / "data"), "--port", "0", "--mqtt-port", port)
    assert refused.returncode == 2
    assert "address already in use" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_what_it_keeps_is_for_its_own_user(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    made = command("keys", "create", "--data", str(data), "--name", "n", "--scope", "admin")
    assert made.returncode == 0
    with running(data) as hub:
        assert hub.stop()[0] == 0
    shared = [path.name for path in data.rglob("*") if path.stat().st_mode & 0o077]
    assert (data / "hub.db").is_file()
    assert shared == []
