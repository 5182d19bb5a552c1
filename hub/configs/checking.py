"""What a configuration from the hub must satisfy before it is signed; everything else the box itself checks.

The box knows its own version, its drivers and their options, and refuses what it cannot run, with one line a mistake.
The hub looks for what no box can mend: text that is no TOML, what belongs to the box alone, secrets, and profiles that
nobody knows.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from firmware_configs.cameras import CAMERAS
from firmware_configs.gps import GPS
from firmware_configs.printers import PRINTERS
from firmware_configs.recorders import RECORDERS
from firmware_configs.schema import Family
from protocol.errors import ConfigurationError, RefusedRequestError
from protocol.topics import is_level

LARGEST: Final = 256 * 1024
OF_THE_BOX: Final = ("gateway", "hub", "configuration", "updates")
"""Sections that say who the box is and whom it obeys. They stay on the box."""

FAMILIES: Final[Mapping[str, Family[Any]]] = {
    "camera": CAMERAS,
    "gps": GPS,
    "printer": PRINTERS,
    "recorder": RECORDERS,
}
"""Which profiles a driver refers to, by the first part of the driver's name."""

_SECRET: Final = re.compile(r"(?:^|_)(?:password|passwd|secret|token|key|psk|passphrase|credentials?)$")
Named = tuple[str, Any]


def parsed(content: str) -> dict[str, Any]:
    """Return the tree of a configuration; raise RefusedRequestError (422), one line a mistake."""
    if len(content.encode()) > LARGEST:
        raise RefusedRequestError("configs.too_long", f"a configuration has at most {LARGEST} bytes", status=422)
    try:
        tree = tomllib.loads(content)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise RefusedRequestError("configs.not_toml", str(error), status=422) from error
    if theirs := [name for name in OF_THE_BOX if name in tree]:
        detail = f"{', '.join(theirs)}: these sections say who the box is, and stay on the box"
        raise RefusedRequestError("configs.of_the_box", detail, status=422)
    if secrets := [path for path, value in _leaves(tree, "") if _is_secret(path, value)]:
        detail = f"{', '.join(secrets)}: secrets are named by a file or variable of the box, never written here"
        raise RefusedRequestError("configs.secret", detail, status=422)
    _check_devices(tree.get("devices", {}))
    return tree


def profiles(tree: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the files of the profiles that a configuration's devices name, by `<family>/<name>.toml`.

    Raises RefusedRequestError (422) for a profile that this hub does not know.
    """
    found: dict[str, bytes] = {}
    for device, table in tree.get("devices", {}).items():
        family = FAMILIES.get(str(table["driver"]).partition(".")[0])
        if family is None:
            continue
        for path, name in _leaves(table.get("options", {}), f"devices.{device}.options"):
            if not path.endswith(".profile") or not isinstance(name, str):
                continue
            try:
                found[f"{family.folder}/{name}.toml"] = family.file(name).read_bytes()
            except ConfigurationError as error:
                raise RefusedRequestError("configs.unknown_profile", f"{path}: {error}", status=422) from error
    return found


def _check_devices(devices: object) -> None:
    mistakes = []
    if not isinstance(devices, Mapping):
        raise RefusedRequestError("configs.devices", "devices: a table [devices.<name>] per device", status=422)
    for name, table in devices.items():
        if not is_level(name):
            mistakes.append(f"devices.{name[:80]}: no name of a device")
        if not isinstance(table, Mapping) or not isinstance(table.get("driver"), str):
            mistakes.append(f"devices.{name[:80]}: a table with a `driver`")
        elif not isinstance(table.get("options", {}), Mapping):
            mistakes.append(f"devices.{name[:80]}.options: a table")
    if mistakes:
        raise RefusedRequestError("configs.devices", "\n".join(mistakes), status=422)


def _leaves(value: object, path: str) -> Iterator[Named]:
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from _leaves(part, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from _leaves(part, f"{path}.{number}")
    else:
        yield path, value


def _is_secret(path: str, value: object) -> bool:
    if not isinstance(value, str):
        return False
    if _SECRET.search(path.rpartition(".")[2].lower()) and value:
        return True
    try:
        return "@" in value and "://" in value and bool(urlsplit(value).password)
    except ValueError:
        return False
