import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from edge import config, process
from edge.config import Secret, load, password
from protocol.errors import ConfigurationError

GOOD = """
[gateway]
id = "g1"
data = "box"
[hub]
broker = "mqtts://hub.example"
ca_file = "ca.pem"
password_file = "password"
[uplink]
window = 3
[positions]
dead_band_m = 5.0
[devices.load-1]
driver = "tests.simulators.load_driver:SPEC"
options = { rate = 2.5 }
"""


def written(folder: Path, text: str) -> Path:
    (folder / "ca.pem").touch()
    (folder / "password").write_text("s3cret\n")
    file = folder / "site.toml"
    file.write_text(text)
    return file


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    loaded = load(written(tmp_path, GOOD))
    assert loaded.data == tmp_path / "box"
    assert loaded.hub.ca_file == str(tmp_path / "ca.pem")
    assert loaded.broker == ("hub.example", 8883, True)
    assert loaded.uplink.window == 3
    assert loaded.positions.thinning().dead_band_m == 5.0


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('id = "g1"', 'id = "G 1"', "gateway.id: "),
        ("window = 3", "window = 0", "uplink.window: "),
        ("window = 3", "windw = 3", "uplink: Object contains unknown field `windw`"),
        ("[uplink]", "[uplnik]", "uplnik: no such section"),
        ("rate = 2.5", "rte = 2.5", "devices.load-1: load-1: Object contains unknown field `rte`"),
        ("rate = 2.5", "rate = -1", "devices.load-1: "),
        ("load_driver:SPEC", "no_driver:SPEC", "devices.load-1: driver"),
        ('driver = "tests.simulators.load_driver:SPEC"', "", "devices.load-1: Object missing required field `driver`"),
        ("[devices.load-1]", "[devices.gateway]", "devices.gateway: a device's name"),
        ("[devices.load-1]", '[devices."Van 7"]', "devices.Van 7: a device's name"),
        ("mqtts://hub.example", "http://hub.example", "hub.broker: "),
        ("mqtts://hub.example", "mqtts://", "hub.broker: "),
        ("mqtts://hub.example", "mqtts://hub.example:99999", "hub.broker: "),
        ("mqtts://hub.example", "mqtts://me:pw@hub.example", "hub.broker: no user or password"),
        ("mqtts://hub.example", "mqtt://hub.example", "hub.broker: certificates need mqtts://"),
        ('ca_file = "ca.pem"', 'ca_file = "other.pem"', "hub.ca_file: no file"),
        ('ca_file = "ca.pem"', 'cert_file = "ca.pem"', "hub.cert_file: a certificate and its key_file"),
        ("[gateway]", "[gateway", "site.toml: "),
    ],
)
def test_a_mistake_is_named_by_the_path_of_its_key(tmp_path: Path, before: str, after: str, message: str) -> None:
    assert before in GOOD
    with pytest.raises(ConfigurationError) as failure:
        load(written(tmp_path, GOOD.replace(before, after)))
    assert message in str(failure.value)


def test_all_mistakes_are_said_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = GOOD.replace("window = 3", "window = 0").replace("dead_band_m = 5.0", "dead_band_m = -1.0")
    assert process.main(["--config", str(written(tmp_path, bad)), "--check"]) == process.EXIT_CONFIGURATION
    said = capsys.readouterr().err
    assert "uplink.window: " in said
    assert "positions.dead_band_m: " in said


def test_check_accepts_a_good_file_and_touches_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, GOOD.replace("mqtts://", "mqtt://").replace('ca_file = "ca.pem"', ""))
    assert process.main(["--config", str(file), "--check"]) == 0
    assert "1 devices" in capsys.readouterr().out
    assert not (tmp_path / "box").exists()


def test_a_missing_file_is_a_mistake_too(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.toml"):
        load(tmp_path / "nowhere.toml")


def test_the_password_comes_from_the_environment_or_a_file_and_shows_itself_to_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = load(written(tmp_path, GOOD))
    assert password(loaded.hub).reveal() == "s3cret"
    monkeypatch.setenv(config.PASSWORD_VARIABLE, "other")
    assert password(loaded.hub).reveal() == "other"
    assert "other" not in f"{password(loaded.hub)!r} {password(loaded.hub)}"
    assert repr(Secret("")) == "Secret('')"


def test_every_field_is_described() -> None:
    for section in (
        config.Gateway,
        config.Hub,
        config.Outbox,
        config.Uplink,
        config.Positions,
        config.Health,
        config.Device,
    ):
        for field in msgspec.json.schema(section)["$defs"][section.__name__]["properties"].values():
            assert field["description"], section


@pytest.mark.parametrize(
    "absent", ["pydantic", "typer", "numpy", "cv2", "av", "fastapi", "duckdb", "sqlalchemy", "serial"]
)
def test_the_agent_stays_light(absent: str) -> None:
    code = f"import sys, edge.process; sys.exit({absent!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
