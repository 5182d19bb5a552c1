"""Opening the telemetry store that the settings name."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from hub.config import HubConfig, Secrets, TelemetrySection
from hub.telemetry.contract import TelemetryStore
from hub.telemetry.duckdb_file import Limits
from hub.telemetry.duckdb_store import DuckDBStore
from hub.telemetry.influx_server import InfluxAddress
from hub.telemetry.influx_store import InfluxStore
from protocol.errors import ConfigurationError

DUCKDB: Final = "duckdb:///"
INFLUXDB: Final = ("http://", "https://")


@asynccontextmanager
async def open_telemetry(config: HubConfig, secrets: Secrets) -> AsyncIterator[TelemetryStore]:
    """Open the store at `telemetry.url` and close it at the end.

    `duckdb:///relative`, `duckdb:////absolute` (its folder is made) or the address of an InfluxDB. Raises
    ConfigurationError for anything else, for a file that another process has and for a token or bucket that is refused,
    StoreUnavailableError when InfluxDB does not answer.
    """
    store = await _opened(config.telemetry_url, config.telemetry, secrets.telemetry_token)
    try:
        yield store
    finally:
        await store.close()


async def _opened(url: str, section: TelemetrySection, token: SecretStr) -> TelemetryStore:
    if url.startswith(DUCKDB) and (path := url.removeprefix(DUCKDB)):
        file = Path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        return await DuckDBStore.opened(file, Limits(memory_mib=section.memory_limit_mb))
    if url.startswith(INFLUXDB):
        return await InfluxStore.opened(
            InfluxAddress(url, section.bucket, section.organisation, token.get_secret_value())
        )
    raise ConfigurationError("telemetry.url: duckdb:////absolute/file or http(s)://influx:8086 is expected")
