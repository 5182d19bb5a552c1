"""The hub's settings: one frozen tree, checked whole before anything starts. Secrets come from the environment only."""

import tomllib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from hub.anomalies.settings import AnomaliesSettings
from hub.certificates.settings import TlsSettings
from hub.custody.settings import CustodySection
from hub.footage.settings import FootageSection
from hub.uploads.settings import UploadsSection
from protocol.errors import ConfigurationError

MOUNTED_SECRETS: Final = Path("/run/secrets")
"""Where container engines mount secrets, each a file: diwang_hub_broker_password and so on."""


def _without_secrets(url: str) -> str:
    """Addresses are told to gateways, logged and shown by /readyz."""
    if urlsplit(url).password:
        raise ValueError("an address without a password: secrets come from the environment (DIWANG_HUB_…)")
    return url


PublicUrl = Annotated[str, AfterValidator(_without_secrets)]


class Section(BaseModel):
    """A part of the tree: frozen, and a misspelt name is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class HttpSection(Section):
    """Where people and programs reach the hub."""

    host: str = Field("127.0.0.1", description="Address to listen on; loopback unless a site opens it on purpose")
    port: int = Field(8080, ge=0, le=65535, description="Port to listen on; 0 takes a free one")
    public_url: str = Field(
        "", pattern=r"^(https?://[^\s/]+)?$", description="Address that people use, when a proxy stands in front"
    )
    max_body_bytes: int = Field(
        1024 * 1024, ge=1024, description="Largest request body; uploads have limits of their own"
    )

    @property
    def address(self) -> str:
        """Where people reach the hub, as far as its settings tell: without a slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.public_url or f"http://{host}:{self.port}"


class BrokerSection(Section):
    """Where gateways publish."""

    kind: Literal["embedded", "nats", "mqtt"] = Field(
        "embedded", description="embedded: the hub starts a NATS server of its own; nats, mqtt: use the one at `url`"
    )
    host: str = Field("127.0.0.1", description="Address that the embedded broker listens on for gateways")
    mqtt_port: int = Field(1883, ge=0, le=65535, description="MQTT port of the embedded broker; 0 takes a free one")
    client_port: int = Field(
        0, ge=0, le=65535, description="NATS port of the embedded broker, loopback; 0 takes a free one"
    )
    url: PublicUrl = Field("", description="nats://host:4222 or mqtt(s)://host:port of a broker beside the hub")
    public_url: PublicUrl = Field(
        "", description="Broker address told to gateways, when it differs from where it listens"
    )
    username: str = Field(
        "", description="User name at a broker beside the hub; its password: DIWANG_HUB_BROKER_PASSWORD"
    )


class DatabaseSection(Section):
    """The relational store."""

    url: PublicUrl = Field(
        "", description="sqlite:////absolute/file.db or postgresql://user@host/name; empty: hub.db in the data folder"
    )


class TelemetrySection(Section):
    """The telemetry store, and how long it keeps what."""

    url: PublicUrl = Field(
        "", description="duckdb:////absolute/file or http(s)://influx:8086; empty: telemetry.duckdb in data"
    )
    organisation: str = Field("", description="InfluxDB 2: organisation")
    bucket: str = Field("diwang", description="InfluxDB: bucket or database")
    memory_limit_mb: int = Field(512, ge=64, description="DuckDB: most memory it takes")


class KeptSeries(Section):
    """A class of series kept for the same time."""

    device: str = Field("*", description="Glob pattern of device names")
    name: str = Field("*", description="Glob pattern of value names")
    days: float = Field(gt=0, description="Days to keep")

    @property
    def keep(self) -> timedelta:
        """How long its values stay."""
        return timedelta(days=self.days)


class RetentionSection(Section):
    """How long things are kept. The first class that matches a series rules."""

    readings: tuple[KeptSeries, ...] = Field(
        (KeptSeries(days=400),), description="Classes of series, first match rules"
    )
    positions_days: float = Field(400, gt=0, description="Days to keep positions")
    batches_days: float = Field(
        30, gt=0, description="Days to remember batch ids: how late a repeat is still recognised"
    )
    dead_letters_days: float = Field(90, gt=0, description="Days to keep what could not be read")
    media_days: float = Field(90, gt=0, description="Days to keep images and clips that no record refers to")


class IngestSection(Section):
    """Bounds of what is taken from the broker."""

    queue_batches: int = Field(
        4_000, ge=1, description="Messages that wait for a commit; what comes beyond them is sent again by its gateway"
    )
    commit_every_ms: float = Field(
        1, ge=0, description="How long a message waits for others to commit with when nothing else is going on"
    )
    commit_batches: int = Field(500, ge=1, description="Most messages of one commit")
    devices_per_gateway: int = Field(
        1_000, ge=1, description="Most devices of one gateway; what further ones say becomes dead letters"
    )


class NotificationsSection(Section):
    """How people are told."""

    console: bool = Field(default=True, description="Begin with a channel that writes to the hub's standard output")
    language: Literal["zh-CN", "en"] = Field("zh-CN", description="Language of the console channel")
    allow: tuple[str, ...] = Field(
        (), description="Hosts and networks of the site that webhooks may reach, also by http: 127.0.0.1, 10.1.0.0/16"
    )


class HubConfig(Section):
    """All settings of one hub process."""

    data: Path = Field(description="Folder of everything the hub keeps")
    roles: frozenset[Literal["api", "ingest", "jobs"]] = Field(
        frozenset({"api", "ingest", "jobs"}),
        description="What this process does; scaled apart on PostgreSQL and InfluxDB",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="How much is logged")
    http: HttpSection = HttpSection()
    broker: BrokerSection = BrokerSection()
    tls: TlsSettings = TlsSettings()
    database: DatabaseSection = DatabaseSection()
    telemetry: TelemetrySection = TelemetrySection()
    retention: RetentionSection = RetentionSection()
    ingest: IngestSection = IngestSection()
    anomalies: AnomaliesSettings = AnomaliesSettings()
    notifications: NotificationsSection = NotificationsSection()
    uploads: UploadsSection = UploadsSection()
    footage: FootageSection = FootageSection()
    custody: CustodySection = CustodySection()

    @property
    def media(self) -> Path:
        """The folder of images and clips."""
        return self.data / "media"

    @property
    def database_url(self) -> str:
        """Where the relational store is."""
        return self.database.url or f"sqlite:///{(self.data / 'hub.db').absolute()}"

    @property
    def telemetry_url(self) -> str:
        """Where the telemetry store is."""
        return self.telemetry.url or f"duckdb:///{(self.data / 'telemetry.duckdb').absolute()}"


class Secrets(BaseSettings):
    """Only from the environment or mounted files, never from the TOML."""

    model_config = SettingsConfigDict(env_prefix="DIWANG_HUB_", frozen=True)

    broker_password: SecretStr = Field(SecretStr(""), description="Password at a broker beside the hub")
    database_password: SecretStr = Field(SecretStr(""), description="Password at PostgreSQL")
    telemetry_token: SecretStr = Field(SecretStr(""), description="Token of InfluxDB")


def read_secrets(mounted: Path = MOUNTED_SECRETS) -> Secrets:
    """Read the secrets from the environment and, where it says nothing, from files of the same names in `mounted`."""
    return Secrets(_secrets_dir=mounted if mounted.is_dir() else None)


def load(file: Path | None, overrides: Mapping[str, Any]) -> HubConfig:
    """Read a TOML file, if one is given, lay `overrides` (a tree of the same shape) over it, and check the whole.

    Raises ConfigurationError that names each wrong setting and says what is expected.
    """
    tree: dict[str, Any] = {}
    if file is not None:
        try:
            tree = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigurationError(f"{file}: {error}") from error
    try:
        return HubConfig.model_validate(_laid_over(tree, overrides))
    except ValidationError as error:
        source = str(file) if file else "settings"
        lines = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
        raise ConfigurationError(f"{source}: " + "; ".join(lines)) from error


def _laid_over(tree: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(tree)
    for name, value in overrides.items():
        below = merged.get(name)
        merged[name] = _laid_over(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged
