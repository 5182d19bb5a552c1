"""A device becomes configuration: a table at the end of the box's file, and every other line stays as it was written.

Passwords and keys go into files of their own below the box's data, which the table names.
"""

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from drivers import registry
from edge import config as configuration
from edge.bundles import Bundles
from edge.config import GATEWAY_DEVICE, Config
from edge.config_file import table
from edge.ownership import like
from protocol.errors import ConfigurationError
from protocol.lasting import replace_file
from protocol.topics import LEVEL_PATTERN, is_level

SECRETS: Final = "secrets"


class OfTheHubError(ConfigurationError):
    """The devices of this box are configured by the hub: what its own file says of them does not count."""


def free_name(kind: str, taken: Mapping[str, object]) -> str:
    """Return a name that no device has: camera-1, camera-2 and so on."""
    return next(name for number in range(1, 10_000) if (name := f"{kind}-{number}") not in taken)


def add_device(
    file: Path, name: str, driver: str, options: Mapping[str, Any], secrets: Mapping[str, str] | None = None
) -> Config:
    """Add a device to the file, put in place whole and at once, and return what the file then says.

    `secrets` are written into files, which the options of these dotted names then name. Raises OfTheHubError, and
    ConfigurationError when the name is taken, the driver refuses the options, or the file cannot be added to; then
    nothing is changed. OSError when the disk takes nothing.
    """
    config = configuration.load(file)
    if Bundles(config.data).read().running:
        raise OfTheHubError("the hub configures the devices of this box")
    if not is_level(name) or name == GATEWAY_DEVICE:
        raise ConfigurationError(f"{name!r}: a device's name matches {LEVEL_PATTERN} and is not {GATEWAY_DEVICE!r}")
    if name in config.devices:
        raise ConfigurationError(f"{name}: there is a device of this name")
    kept = {option: config.data / SECRETS / f"{name}.{option}" for option in secrets or {}}
    told = dict(options)
    for option, path in kept.items():
        told = _with(told, option, str(path))
    registry.validate(driver, name, told)
    text = _extended(file, name, driver, told)
    _keep(config.data, {path: (secrets or {})[option] for option, path in kept.items()})
    try:
        return _replace(file, text)
    except ConfigurationError:
        for path in kept.values():
            path.unlink()
        raise


def change_options(file: Path, name: str, changes: Mapping[str, Any]) -> Config:
    """Give options of a device that `add_device` wrote new values. Raises as `add_device` does."""
    config = configuration.load(file)
    if Bundles(config.data).read().running:
        raise OfTheHubError("the hub configures the devices of this box")
    device = config.devices.get(name)
    if device is None:
        raise ConfigurationError(f"{name}: there is no such device")
    options = {**device.options, **changes}
    registry.validate(device.driver, name, options)
    without = _without(file, name, device.driver, device.options)
    return _replace(file, _checked(file, f"{without}{_section(name, device.driver, options)}", name, options))


def remove_device(file: Path, name: str) -> Config:
    """Take a device that `add_device` wrote out of the file, with its secrets. Raises as `add_device` does."""
    config = configuration.load(file)
    if name not in config.devices:
        raise ConfigurationError(f"{name}: there is no such device")
    device = config.devices[name]
    changed = _replace(file, _without(file, name, device.driver, device.options))
    for path in (config.data / SECRETS).glob(f"{name}.*"):
        path.unlink()
    return changed


def _with(options: Mapping[str, Any], option: str, value: str) -> dict[str, Any]:
    head, _, rest = option.partition(".")
    return {**options, head: _with(options[head], rest, value) if rest else value}


def _extended(file: Path, name: str, driver: str, options: Mapping[str, Any]) -> str:
    text = file.read_text(encoding="utf-8")
    return _checked(file, f"{text.rstrip()}\n\n{_section(name, driver, options)}", name, options)


def _without(file: Path, name: str, driver: str, options: Mapping[str, Any]) -> str:
    text = file.read_text(encoding="utf-8")
    section = _section(name, driver, options)
    if text.count(section) != 1:
        raise ConfigurationError(f"{file}: [devices.{name}] was written by hand: change it there")
    return text.replace(section, "")


def _checked(file: Path, text: str, name: str, options: Mapping[str, Any]) -> str:
    """Return a text that says what it is to say; the old one may have been written in a way that it does not."""
    try:
        made = tomllib.loads(text)["devices"][name]["options"]
    except (tomllib.TOMLDecodeError, KeyError, TypeError):
        made = None
    others = table(file).get("devices", {}).keys() - {name}
    if made != json.loads(json.dumps(options)) or others - tomllib.loads(text)["devices"].keys():
        raise ConfigurationError(
            f"{file}: it is written in a way that cannot be added to: write [devices.{name}] there"
        )
    return text


def _replace(file: Path, text: str) -> Config:
    """Have the whole configuration checked as the agent will, then put it in its place."""
    trial = file.with_name(f".{file.name}.trial")
    owner = file.stat()
    try:
        replace_file(trial, text.encode())
        config = configuration.load(trial)
        trial.chmod(owner.st_mode & 0o777)
        like(owner, trial)
        trial.replace(file)
    finally:
        trial.unlink(missing_ok=True)
    return config


def _keep(data: Path, secrets: Mapping[Path, str]) -> None:
    if not secrets:
        return
    folder = data / SECRETS
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path, secret in secrets.items():
        replace_file(path, secret.encode())
    like(os.stat(data), folder, *secrets)  # noqa: PTH116 - the function's argument


def _section(name: str, driver: str, options: Mapping[str, Any]) -> str:
    lines = [f"{key} = {_value(value)}" for key, value in options.items()]
    return "\n".join((f"[devices.{name}]", f"driver = {_value(driver)}", "", f"[devices.{name}.options]", *lines, ""))


def _value(value: Any) -> str:  # noqa: ANN401 - whatever a driver's options hold
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_value(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    # JSON's strings, numbers and truth values are TOML's (TOML 1.0), but for U+007F, which is escaped here.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
