"""The folder of everything the hub keeps: made, and held by one hub at a time.

Two hubs on one folder would end each other's broker and write into each other's files.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from hub.config import HubConfig
from protocol.errors import ConfigurationError

if sys.platform != "win32":
    import fcntl

LOCK: Final = "hub.lock"


def make(folder: Path) -> None:
    """Make the folder; what this process writes from now on is for its own user. Raises ConfigurationError."""
    os.umask(0o077)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error


@contextmanager
def held(config: HubConfig) -> Iterator[None]:
    """Make the folder and hold it while the block runs; however the process ends, the hold ends with it.

    Processes of one hub that are scaled apart share it: those that keep nothing but media there. Raises
    ConfigurationError when the folder cannot be written, or another hub holds it.
    """
    make(config.data)
    try:
        lock = (config.data / LOCK).open("w", encoding="utf-8")
    except OSError as error:
        raise _unwritable(config.data, error) from error
    with lock:
        _lock(lock, config.data, alone=_keeps_stores(config))
        yield


def _unwritable(folder: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(f"the data folder {folder} cannot be written: {error.strerror}")


def _keeps_stores(config: HubConfig) -> bool:
    broker = config.broker.kind == "embedded" and "ingest" in config.roles
    return broker or not config.database.url or not config.telemetry.url


def _lock(lock: IO[str], folder: Path, *, alone: bool) -> None:
    if sys.platform == "win32":  # there the stores' own locks have to do
        return
    try:
        fcntl.flock(lock, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ConfigurationError(f"another hub runs on the data folder {folder}; each needs one of its own") from error
    except OSError as error:
        raise ConfigurationError(f"the data folder {folder} cannot be locked: {error.strerror}") from error
