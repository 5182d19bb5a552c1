"""The hub's settings: one tree, checked whole, every field described, secrets elsewhere."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from hub.config import HubConfig, Secrets, load, read_secrets
from protocol.errors import ConfigurationError


def sections(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    yield model
    for field in model.model_fields.values():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from sections(field.annotation)


def test_defaults_are_one_box_on_loopback(tmp_path: Path) -> None:
    config = load(None, {"data": tmp_path})
    assert (config.http.host, config.broker.host, config.broker.kind) == ("127.0.0.1", "127.0.0.1", "embedded")
    assert config.database_url == f"sqlite:///{tmp_path}/hub.db"
    assert config.telemetry_url == f"duckdb:///{tmp_path}/telemetry.duckdb"
    assert config.retention.readings[-1].keep > timedelta(days=30)


def test_options_lie_over_the_file_and_leave_the_rest(tmp_path: Path) -> None:
    file = tmp_path / "hub.toml"
    file.write_text('[http]\nport = 9000\nhost = "192.0.2.1"\n[broker]\nkind = "nats"\nurl = "nats://a:4222"\n')
    config = load(file, {"data": tmp_path, "http": {"port": 0}})
    assert (config.http.port, config.http.host, config.broker.url) == (0, "192.0.2.1", "nats://a:4222")


def test_every_wrong_setting_is_named_at_once(tmp_path: Path) -> None:
    file = tmp_path / "hub.toml"
    file.write_text('[http]\nport = -1\npublic_url = "javascript:alert(1)"\n[ingest]\nqueue = 1\n')
    with pytest.raises(ConfigurationError) as refused:
        load(file, {"data": tmp_path})
    for name in ("hub.toml", "http.port", "http.public_url", "ingest.queue"):
        assert name in str(refused.value)


@pytest.mark.parametrize("content", [b"[http", b"\xff", b""])
def test_files_that_cannot_be_read(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "hub.toml"
    if content:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"hub\.toml"):
        load(file, {"data": tmp_path})


def test_the_tree_is_frozen(tmp_path: Path) -> None:
    config = load(None, {"data": tmp_path})
    with pytest.raises(ValidationError):
        config.http.port = 1  # type: ignore[misc]


def test_every_setting_is_described() -> None:
    described: list[type[BaseModel]] = [*sections(HubConfig), Secrets]
    for section in described:
        for name, field in section.model_fields.items():
            a_section = isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
            assert field.description or a_section, f"{section.__name__}.{name} says nothing of itself"


def test_secrets_come_from_the_environment_and_stay_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIWANG_HUB_TELEMETRY_TOKEN", "hunter2")
    secrets = Secrets()
    assert secrets.telemetry_token.get_secret_value() == "hunter2"
    assert "hunter2" not in repr(secrets)
    assert not {name for name in Secrets.model_fields if name in HubConfig.model_fields}


def test_secrets_come_from_mounted_files_where_the_environment_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "diwang_hub_telemetry_token").write_text("from-a-file\n")
    (tmp_path / "diwang_hub_broker_password").write_text("from-a-file\n")
    monkeypatch.setenv("DIWANG_HUB_BROKER_PASSWORD", "from-the-environment")
    secrets = read_secrets(tmp_path)
    assert secrets.telemetry_token.get_secret_value() == "from-a-file"
    assert secrets.broker_password.get_secret_value() == "from-the-environment"
    assert read_secrets(tmp_path / "nothing").telemetry_token.get_secret_value() == ""


@pytest.mark.parametrize(
    ("section", "setting", "url"),
    [
        ("broker", "url", "nats://hub:hunter2@broker:4222"),
        ("broker", "public_url", "mqtts://hub:hunter2@broker"),
        ("database", "url", "postgresql://diwang:hunter2@db/diwang"),
        ("telemetry", "url", "http://diwang:hunter2@influx:8086"),
    ],
)
def test_an_address_holds_no_password(section: str, setting: str, url: str) -> None:
    """Addresses are told to gateways, logged and shown by /readyz."""
    with pytest.raises(ConfigurationError) as refused:
        load(None, {"data": "x", section: {setting: url}})
    assert f"{section}.{setting}" in str(refused.value)
    assert "hunter2" not in str(refused.value)
    load(None, {"data": "x", section: {setting: url.replace(":hunter2", "")}})
