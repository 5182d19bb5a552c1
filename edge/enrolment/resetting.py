"""Factory reset: after it no key and no picture is left on the box, and the hub knows that it is out of use.

What is erased: the data folder whole (identity, outbox with its pictures, raw data, footage, what drivers keep), the
file of the broker's password, and the configuration, which may hold the passwords of cameras.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import apsw
import httpx

from drivers.footage import FOLDER, carriage, clips
from edge import commands, shelf
from edge import config as configuration
from edge.config import Config
from edge.enrolment import identity
from edge.enrolment.words import IdentityError
from edge.hub_http import hub_client
from edge.outbox import store_file
from edge.store import Store
from protocol.clock import SystemClock
from protocol.enrolment import GATEWAY_API
from protocol.errors import ConfigurationError, StoreUnavailableError
from protocol.lasting import sync_folder

_OUT_OF_USE = httpx.codes.NO_CONTENT


@dataclass(frozen=True, slots=True)
class Told:
    """Whether the hub was told that the box is out of use; `reason` says why not."""

    reason: str = ""


async def reset(file: Path, *, force_lose: bool = False) -> Told:
    """Tell the hub, then erase everything. The agent must not run meanwhile.

    Raises IdentityError, with nothing erased, while events, pictures or footage wait for the hub (unless `force_lose`)
    or the agent runs; and when the disk cannot be written, with the identity erased first of all. ConfigurationError
    when `file` does not say where the data is.
    """
    config = configuration.load_identity(file)
    try:
        async with Store(store_file(config.data), shelf.SCHEMA + commands.SCHEMA, SystemClock(), group_s=0.0) as store:
            if not force_lose:
                _require_footage_carried(config.data)
                await store.read(_require_sent)
            told = await _tell(config)
    except StoreUnavailableError as error:
        raise IdentityError("store", reason=error) from error
    try:
        _erase(config, file)
    except OSError as error:
        raise IdentityError("disk", reason=error) from error
    return told


def _require_sent(connection: apsw.Connection) -> None:
    counted = "SELECT (SELECT count(*) FROM record WHERE NOT telemetry), (SELECT count(*) FROM image)"
    events, images = connection.execute(counted).fetchone() or (0, 0)
    if events or images:
        raise IdentityError("reset_unsent", events=events, images=images)


def _require_footage_carried(data: Path) -> None:
    folders = (data / "devices").glob(f"*/{FOLDER}")
    left = sum(
        (folder / clip.sha256).exists() and carriage(folder, clip.sha256).confirmed_at is None
        for folder in folders
        for clip in clips(folder)
    )
    if left:
        raise IdentityError("reset_footage", clips=left)


async def _tell(config: Config) -> Told:
    try:
        async with hub_client(config, configuration.password(config.hub)) as door:
            answer = await door.post(f"{GATEWAY_API}/retire")
    except (ConfigurationError, httpx.TransportError) as error:
        return Told(str(error) or type(error).__name__)
    return Told("" if answer.status_code == _OUT_OF_USE else f"HTTP {answer.status_code}")


def _erase(config: Config, file: Path) -> None:
    """Erase what proves who the box is before all else: a reset that is cut off leaves no box that can pretend."""
    secrets = [config.hub.cert_file, config.hub.key_file, config.hub.password_file]
    for secret in dict.fromkeys(Path(each) for each in secrets if each):
        _overwrite(secret)
    for secret in (config.data / identity.FOLDER).glob("*.pem"):
        _overwrite(secret)
    for entry in config.data.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    sync_folder(config.data)
    file.unlink()
    sync_folder(file.absolute().parent)


def _overwrite(file: Path) -> None:
    """Erase a small file and, as far as its disk allows, the blocks that it lay in."""
    if not file.is_file():
        return
    with file.open("r+b") as writing:
        writing.write(bytes(file.stat().st_size))
        writing.flush()
        os.fsync(writing.fileno())
    file.unlink()
