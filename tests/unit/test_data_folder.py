"""The data folder is held by one hub, or shared by the processes of one that keep no store there."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub import data_folder
from hub.config import HubConfig
from protocol.errors import ConfigurationError

ELSEWHERE: dict[str, Any] = {
    "database": {"url": "postgresql://diwang@db/diwang"},
    "telemetry": {"url": "http://influx:8086"},
    "broker": {"kind": "nats", "url": "nats://broker:4222"},
}


@pytest.fixture(autouse=True)
def own_mask() -> Iterator[None]:
    """Give the test run its own mask back."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def config(folder: Path, **sections: Any) -> HubConfig:
    return HubConfig.model_validate({"data": folder, **sections})


@pytest.mark.parametrize("own", ["database", "telemetry", "broker"])
def test_whoever_keeps_a_store_there_is_alone(tmp_path: Path, own: str) -> None:
    alone = config(tmp_path, **{name: section for name, section in ELSEWHERE.items() if name != own})
    sharing = config(tmp_path, **ELSEWHERE)
    for first, second in ((alone, alone), (alone, sharing), (sharing, alone)):
        with (
            data_folder.held(first),
            pytest.raises(ConfigurationError, match="another hub runs on the data folder"),
            data_folder.held(second),
        ):
            pass
        with data_folder.held(second):
            pass


def test_processes_of_one_hub_share_it(tmp_path: Path) -> None:
    embedded_elsewhere = config(tmp_path, **{**ELSEWHERE, "broker": {}, "roles": ["api"]})
    alone = config(tmp_path)
    with (
        data_folder.held(config(tmp_path, **ELSEWHERE)),
        data_folder.held(embedded_elsewhere),
        pytest.raises(ConfigurationError, match="another hub"),
        data_folder.held(alone),
    ):
        pass


def test_it_is_made_for_its_own_user(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    with data_folder.held(config(folder)):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
