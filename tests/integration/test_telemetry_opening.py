"""Opening the store that the settings name, and the periodic act of forgetting."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from pydantic import SecretStr

from hub.config import HubConfig, Secrets, TelemetrySection
from hub.telemetry.contract import Arrival, Retention
from hub.telemetry.duckdb_store import DuckDBStore
from hub.telemetry.influx_store import InfluxStore
from hub.telemetry.opening import open_telemetry
from hub.telemetry.retention import apply
from protocol.clock import ManualClock
from protocol.errors import ConfigurationError, StoreUnavailableError
from protocol.messages import Batch, Position
from tests.simulators.influxd import TOKEN, Influxd, V2Front


def config(folder: Path, url: str = "") -> HubConfig:
    return HubConfig(data=folder, telemetry=TelemetrySection(url=url, bucket="hub", organisation="an-org"))


async def test_a_file_in_the_data_folder_is_the_default(tmp_path: Path) -> None:
    async with open_telemetry(config(tmp_path / "data"), Secrets()) as store:
        assert isinstance(store, DuckDBStore)
        await store.ping()
    assert (tmp_path / "data" / "telemetry.duckdb").exists()


async def test_an_influxdb_is_opened_with_the_token_of_the_secrets(tmp_path: Path) -> None:
    server = Influxd(tmp_path / "influxd")
    server.query('CREATE DATABASE "hub"')
    with V2Front(server) as front:
        async with open_telemetry(config(tmp_path, front.url), Secrets(telemetry_token=SecretStr(TOKEN))) as store:
            assert isinstance(store, InfluxStore)
        with pytest.raises(ConfigurationError, match="token") as caught:
            async with open_telemetry(config(tmp_path, front.url), Secrets(telemetry_token=SecretStr("wrong-one"))):
                pass
        assert "wrong-one" not in str(caught.value)
    server.stop()


@pytest.mark.parametrize("url", ["duckdb:///", "mysql://host/x", "telemetry.duckdb"])
async def test_any_other_address_is_a_wrong_setting(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"telemetry\.url"):
        async with open_telemetry(config(tmp_path, url), Secrets()):
            pass


async def test_a_server_that_is_away_may_come(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError):
        async with open_telemetry(config(tmp_path, "http://127.0.0.1:9"), Secrets()):
            pass


async def test_what_is_too_old_by_the_clock_goes(tmp_path: Path) -> None:
    clock = ManualClock()
    policy = Retention((), positions=timedelta(hours=1), batches=timedelta(hours=1))
    async with open_telemetry(config(tmp_path), Secrets()) as store:
        fix = Position(device="van-7", at=clock.now(), latitude=1, longitude=2)
        batch = Batch(id=clock.new_id(), gateway="g1", epoch=UUID(int=1), seq=1, sent_at=clock.now(), records=(fix,))
        await store.commit([Arrival(batch, clock.now())])
        assert await apply(store, policy, clock) == 0
        clock.advance(3_601)
        assert await apply(store, policy, clock) == 1
        assert await apply(store, policy, clock) == 0
