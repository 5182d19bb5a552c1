"""The files that a box's configuration is made of: the one that it came with, and what the hub puts over it."""

import tomllib
from pathlib import Path
from typing import Any, Final

from protocol.errors import ConfigurationError

OF_THE_BOX: Final = ("gateway", "hub", "configuration", "updates")
"""Sections that say who the box is and whom it obeys: never taken from the hub."""

BUNDLE_FILE: Final = "config.toml"
PROFILES: Final = "firmware_configs"
"""What a bundle's folder holds: the configuration, and below a folder the profiles that it names."""


def table(file: Path) -> dict[str, Any]:
    """Return what a TOML file says; raise ConfigurationError."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{file}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigurationError(f"{file}: {error}") from error


def of_the_box(file: Path) -> dict[str, Any]:
    """Return the sections OF_THE_BOX. Raises ConfigurationError."""
    return {name: value for name, value in table(file).items() if name in OF_THE_BOX}


def of_the_hub(file: Path, bundle: Path | None) -> dict[str, Any]:
    """Return all other sections: from a bundle's folder, else from the box's own file. Raises ConfigurationError."""
    if bundle is None:
        return {name: value for name, value in table(file).items() if name not in OF_THE_BOX}
    theirs = table(bundle / BUNDLE_FILE)
    if wrong := [name for name in OF_THE_BOX if name in theirs]:
        raise ConfigurationError(f"{', '.join(wrong)}: not to be set by the hub")
    return theirs
