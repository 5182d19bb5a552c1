"""What a box is told: one TOML file, checked whole before anything starts. Secrets never stand in it.

The types are msgspec's, not pydantic's: loading pydantic alone would take a fifth of the 50 MB that an agent may use.
"""

import os
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

from drivers import registry
from edge import config_file
from edge.remote_settings import Configuration, Updates
from edge.section import Section
from edge.thinning import Thinning
from edge.upload_settings import Uploads
from protocol.errors import ConfigurationError
from protocol.messages import Level
from protocol.topics import LEVEL_PATTERN, is_level

PASSWORD_VARIABLE: Final = "EDGE_BROKER_PASSWORD"  # noqa: S105 - the variable's name
GATEWAY_DEVICE: Final = "gateway"
MAX_BATCH_BYTES: Final = 480 * 1024
_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}

SectionT = TypeVar("SectionT", bound=Struct)


class Gateway(Section, frozen=True, kw_only=True):
    """Who this box is and where it keeps what it must not lose."""

    id: Annotated[Level, Meta(description="Name of the box: MQTT client id, user name and topic level")]
    data: Annotated[str, Meta(description="Folder of the box's own data, relative to this file")] = "data"


class Hub(Section, frozen=True, kw_only=True):
    """Where the hub's broker is, and how the box proves who it is."""

    broker: Annotated[str, Meta(description="mqtt://host:1883, or mqtts://host:8883 for TLS")]
    api: Annotated[
        str, Meta(description="The hub's door for boxes, https://hub.example:8443: renewal, configuration, uploads")
    ] = ""
    username: Annotated[str, Meta(description="User name at the broker; empty means the gateway's id")] = ""
    password_file: Annotated[str, Meta(description=f"File of the password, unless {PASSWORD_VARIABLE} has it")] = ""
    ca_file: Annotated[str, Meta(description="PEM file of the authority to trust; empty means the system's")] = ""
    cert_file: Annotated[str, Meta(description="PEM file of the box's own certificate")] = ""
    key_file: Annotated[str, Meta(description="PEM file of that certificate's key")] = ""
    keepalive_s: Annotated[int, Meta(ge=5, le=600, description="Seconds of silence before the link is tried")] = 20


class Outbox(Section, frozen=True, kw_only=True):
    """How much is kept while the hub cannot be reached."""

    max_bytes: Annotated[int, Meta(ge=1 << 20, description="Bytes of records and pictures kept at most")] = 1 << 30
    max_age_h: Annotated[
        float, Meta(gt=0, description="Hours of running after which telemetry that never left is dropped")
    ] = 24.0 * 30
    group_commit_ms: Annotated[float, Meta(ge=0, le=50, description="Least time between two commits")] = 10.0


class Uplink(Section, frozen=True, kw_only=True):
    """How records travel. Commits and batches that gather for some milliseconds cost box and hub a third less."""

    batch_records: Annotated[int, Meta(ge=1, le=10_000, description="Records of one batch at most")] = 500
    batch_bytes: Annotated[
        int, Meta(ge=1024, le=MAX_BATCH_BYTES, description="Bytes of one batch at most, if it has more than one record")
    ] = 128 * 1024
    linger_ms: Annotated[
        float, Meta(ge=0, le=60_000, description="Least time between two batches of fresh records; more saves traffic")
    ] = 5.0
    window: Annotated[int, Meta(ge=1, le=64, description="Unacknowledged batches in flight, per lane")] = 8
    ack_timeout_s: Annotated[
        float, Meta(ge=0.1, le=600, description="Seconds without the hub's acknowledgement before a batch goes again")
    ] = 2.0
    timeout_s: Annotated[float, Meta(ge=0.5, le=60, description="Seconds the broker has to answer anything")] = 5.0


class Positions(Section, frozen=True, kw_only=True):
    """How tracks are thinned on the spot; `edge/thinning.py` states the error bound."""

    dead_band_m: Annotated[float, Meta(ge=0, le=1_000, description="Metres by which a sent track may be off")] = 10.0
    turn_deg: Annotated[float, Meta(gt=0, le=180, description="A change of course that is always sent")] = 30.0
    turning_mps: Annotated[float, Meta(ge=0, description="Speed from which on a change of course counts")] = 2.0
    moving_interval_s: Annotated[float, Meta(gt=0, description="Seconds between two fixes at most, moving")] = 5.0
    max_interval_s: Annotated[float, Meta(gt=0, description="Seconds between two fixes at most, at rest")] = 60.0

    def thinning(self) -> Thinning:
        """Return the settings as the thinner takes them."""
        return Thinning(**msgspec.structs.asdict(self))


class Health(Section, frozen=True, kw_only=True):
    """How the box watches itself."""

    interval_s: Annotated[float, Meta(ge=0.05, le=86_400, description="Seconds between two looks at oneself")] = 60.0
    disk_low_bytes: Annotated[int, Meta(ge=0, description="Free bytes below which the disk counts as low")] = 256 << 20
    clock_step_s: Annotated[float, Meta(gt=0, description="Seconds by which the clock must jump to be reported")] = 2.0


class Device(Section, frozen=True, kw_only=True):
    """One device: its driver's name, and that driver's own options."""

    driver: Annotated[str, Meta(min_length=1, description="An installed driver, for example gps.nmea")]
    options: Annotated[dict[str, Any], Meta(description="Options of the driver")] = msgspec.field(default_factory=dict)
    thin: Annotated[bool, Meta(description="Whether positions are thinned as [positions] says")] = True
    raw_ring_bytes: Annotated[
        int, Meta(ge=0, description="Bytes of raw data kept on the box as evidence, 0 for none")
    ] = 64 << 20


class Config(Struct, frozen=True, kw_only=True):
    """The whole file, valid. Paths in it are absolute."""

    gateway: Gateway
    hub: Hub
    configuration: Configuration = Configuration()
    updates: Updates = Updates()
    outbox: Outbox
    uplink: Uplink
    positions: Positions
    health: Health
    uploads: Uploads = Uploads()
    devices: dict[str, Device]

    @property
    def data(self) -> Path:
        """The folder of the box's own data."""
        return Path(self.gateway.data)

    @property
    def broker(self) -> tuple[str, int, bool]:
        """Host, port and whether TLS is spoken."""
        url = urlsplit(self.hub.broker)
        return url.hostname or "", url.port or _PORTS[url.scheme], url.scheme == "mqtts"


class Secret:
    """A string that shows itself to nobody who does not ask."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def __repr__(self) -> str:
        return "Secret('***')" if self._value else "Secret('')"

    def reveal(self) -> str:
        """Return the string itself."""
        return self._value


def load(file: Path, bundle: Path | None = None) -> Config:
    """Read and check the file, every driver's options included; nothing is opened or connected.

    With the folder of a bundle, what the hub may set is the bundle's. Raises ConfigurationError with one line per
    mistake, each beginning with the path of its key.
    """
    return _checked(file, config_file.of_the_box(file) | config_file.of_the_hub(file, bundle))


def load_identity(file: Path) -> Config:
    """Read and check who the box is and whom it obeys, with defaults for all else. Raises ConfigurationError."""
    return _checked(file, config_file.of_the_box(file))


def _checked(file: Path, table: dict[str, Any]) -> Config:
    mistakes: list[str] = []
    base = file.absolute().parent
    kinds: dict[str, type[Section]] = {
        "gateway": Gateway,
        "hub": Hub,
        "configuration": Configuration,
        "updates": Updates,
        "outbox": Outbox,
        "uplink": Uplink,
        "positions": Positions,
        "health": Health,
        "uploads": Uploads,
    }
    mistakes.extend(
        f"{key}: no such section; known: {', '.join(kinds)}, devices" for key in table.keys() - {*kinds, "devices"}
    )
    sections = {name: _section(name, table.get(name, {}), kind, mistakes) for name, kind in kinds.items()}
    devices = _devices(table.get("devices", {}), mistakes)
    if isinstance(hub := sections["hub"], Hub):
        mistakes.extend(_broker_mistakes(hub))
        mistakes.extend(_api_mistakes(hub))
        sections["hub"] = hub = _with_absolute_paths(hub, base)
        mistakes.extend(_file_mistakes(hub))
    if isinstance(gateway := sections["gateway"], Gateway):
        sections["gateway"] = msgspec.structs.replace(gateway, data=str(base / gateway.data))
    for name, key in (("configuration", "root_file"), ("updates", "slots")):
        if (section := sections[name]) is not None and (value := getattr(section, key)):
            sections[name] = msgspec.structs.replace(section, **{key: str(base / value)})
    if mistakes:
        raise ConfigurationError("\n".join(mistakes))
    return Config(**sections, devices=devices)  # type: ignore[arg-type]  # every section is there, or was a mistake


def password(hub: Hub) -> Secret:
    """Return the broker's password, from the environment or else from its file; raise ConfigurationError."""
    if given := os.environ.get(PASSWORD_VARIABLE):
        return Secret(given)
    if not hub.password_file:
        return Secret("")
    try:
        return Secret(Path(hub.password_file).read_text(encoding="utf-8").strip())
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"hub.password_file: {error}") from error


def _section(path: str, value: object, kind: type[SectionT], mistakes: list[str]) -> SectionT | None:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        reason, _, place = str(error).partition(" - at `$")
        mistakes.append(f"{path}{place.rstrip('`')}: {reason}")
        return None


def _devices(tables: object, mistakes: list[str]) -> dict[str, Device]:
    if not isinstance(tables, dict):
        mistakes.append("devices: a table [devices.<name>] per device is expected")
        return {}
    devices = {}
    for name, table in tables.items():
        path = f"devices.{name}"
        if not is_level(name) or name == GATEWAY_DEVICE:
            mistakes.append(f"{path}: a device's name matches {LEVEL_PATTERN} and is not {GATEWAY_DEVICE!r}")
        device = _section(path, table, Device, mistakes)
        if device is None:
            continue
        devices[name] = device
        try:
            registry.validate(device.driver, name, device.options)
        except ConfigurationError as error:
            mistakes.append(f"{path}: {error}")
    return devices


def _broker_mistakes(hub: Hub) -> list[str]:
    example = "mqtt://hub.example:1883 or mqtts://hub.example:8883 is expected"
    try:
        url = urlsplit(hub.broker)
        fits = url.scheme in _PORTS and bool(url.hostname) and (url.port is None or url.port > 0)
    except ValueError:
        return [f"hub.broker: {example}"]
    if url.username or url.password:
        return [f"hub.broker: no user or password in the address; {PASSWORD_VARIABLE} or password_file holds it"]
    if not fits or url.path.strip("/") or url.query or url.fragment:
        return [f"hub.broker: {example}"]
    if bool(hub.cert_file) != bool(hub.key_file):
        return ["hub.cert_file: a certificate and its key_file come together"]
    if url.scheme == "mqtt" and (hub.cert_file or (hub.ca_file and not hub.api)):
        return ["hub.broker: certificates need mqtts://"]
    return []


def _api_mistakes(hub: Hub) -> list[str]:
    if not hub.api:
        return []
    try:
        url = urlsplit(hub.api)
        fits = bool(url.hostname) and (url.port is None or url.port > 0) and not url.username and not url.password
    except ValueError:
        fits = False
    else:
        # Without TLS a password would travel in the open; on the machine itself it does not travel.
        here = url.hostname in {"127.0.0.1", "localhost", "::1"}
        fits = fits and (url.scheme == "https" or (url.scheme == "http" and here))
        fits = fits and not (url.path.strip("/") or url.query or url.fragment)
    return [] if fits else ["hub.api: https://hub.example:8443 is expected; http:// only to this machine"]


def _file_mistakes(hub: Hub) -> list[str]:
    files = {name: getattr(hub, name) for name in ("password_file", "ca_file", "cert_file", "key_file")}
    return [f"hub.{name}: no file {path}" for name, path in files.items() if path and not Path(path).is_file()]


def _with_absolute_paths(hub: Hub, base: Path) -> Hub:
    names = ("password_file", "ca_file", "cert_file", "key_file")
    return msgspec.structs.replace(
        hub, **{name: str(base / getattr(hub, name)) for name in names if getattr(hub, name)}
    )
