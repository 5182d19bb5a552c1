"""The sample site as its box is told of it: one TOML file, as an installer would write it."""

from pathlib import Path
from typing import Final

GATEWAY: Final = "jimei-demo-1"
GPS: Final = "patrol-gps"
CAMERAS: Final = ("kitchen-cam-1", "kitchen-cam-2")

_SITE: Final = """\
# The demonstration's box. A real one differs in addresses only.

[gateway]
id = "{gateway}"
data = "box"

[health]
interval_s = 20.0

[hub]
broker = "{broker}"
password_file = "{password_file}"

[devices.{gps}]
driver = "gps.nmea"
options = {{ source = {{ kind = "tcp", host = "127.0.0.1", port = {nmea_port} }} }}

[devices.{covered}]
driver = "camera"
options = {{ url = "{covered_url}" }}

[devices.{frozen}]
driver = "camera"
options = {{ url = "{frozen_url}" }}
"""


def write_site(file: Path, *, broker: str, password_file: Path, nmea_port: int, streams: tuple[str, str]) -> None:
    """Write the box's configuration; the password itself stays in its own file."""
    text = _SITE.format(
        gateway=GATEWAY,
        broker=broker,
        password_file=password_file.name,
        gps=GPS,
        nmea_port=nmea_port,
        covered=CAMERAS[0],
        frozen=CAMERAS[1],
        covered_url=streams[0],
        frozen_url=streams[1],
    )
    file.write_text(text, encoding="utf-8")
