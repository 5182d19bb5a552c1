"""Installing a release of the agent into the slot that does not run, from signed wheels, without any index."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from edge.fetching import Source
from edge.slots import Slots
from protocol.errors import ConfigurationError

LOCK: Final = "requirements.lock"
_MANIFEST: Final = "release.json"
_WHEELHOUSE: Final = "wheelhouse"
_LARGEST_MANIFEST: Final = 256 * 1024
_LARGEST_FILE: Final = 512 << 20
_LONGEST_S: Final = 1800
_SAID: Final = 2000

FileName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+!-]{0,190}$")]


class Release(Struct, frozen=True, kw_only=True):
    """What a release consists of: wheels, and the lock file that pins each by its hash."""

    version: str
    files: Annotated[tuple[FileName, ...], Meta(min_length=2, max_length=500)]


def install(source: Source, slots: Slots, version: str, config: Path) -> str:
    """Fetch a release, install it into the idle slot and have it check the configuration; return the slot's name.

    What was fetched before stays fetched. Raises ConfigurationError when it does not install or cannot run here, and
    what `Source.save` raises.
    """
    slot = slots.idle
    wheelhouse = slots.root / _WHEELHOUSE / version
    wheelhouse.mkdir(parents=True, exist_ok=True)
    release = _manifest(source, wheelhouse, version)
    for name in release.files:
        source.save(f"releases/{version}/{name}", wheelhouse / name, _LARGEST_FILE)
    folder = slots.clear(slot)
    python = str(folder / "bin" / "python")
    _run([sys.executable, "-m", "venv", "--without-pip", str(folder)], "no virtual environment")
    if find_spec("pip") is None:
        _run([sys.executable, "-m", "ensurepip"], "no installer")  # this slot was made so as well
    pip = [sys.executable, "-m", "pip", "--python", python, "--isolated", "--disable-pip-version-check"]
    offline = ["--no-index", "--find-links", str(wheelhouse), "--require-hashes", "-r", str(wheelhouse / LOCK)]
    _run([*pip, "install", "--quiet", "--no-cache-dir", *offline], "it does not install")
    _run([python, "-P", "-m", "edge.process", "--config", str(config), "--check"], "it cannot run here")
    return slot


def _manifest(source: Source, wheelhouse: Path, version: str) -> Release:
    file = wheelhouse / _MANIFEST
    source.save(f"releases/{version}/{_MANIFEST}", file, _LARGEST_MANIFEST)
    try:
        release = msgspec.json.decode(file.read_bytes(), type=Release)
    except msgspec.DecodeError as error:
        raise ConfigurationError(f"release {version}: {error}") from error
    if release.version != version or LOCK not in release.files:
        raise ConfigurationError(f"release {version}: its manifest speaks of {release.version}, or of no {LOCK}")
    return release


def _run(command: list[str], otherwise: str) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - our own installation
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_LONGEST_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigurationError(f"{otherwise}: {error}") from error
    if done.returncode != 0:
        raise ConfigurationError(f"{otherwise}: {(done.stderr or done.stdout).strip()[-_SAID:]}")
