"""What a box is to run, fetched and verified by The Update Framework (specification 1.0).

The signed root that is trusted first is given by the site, or taken once from the hub's door over TLS, when nothing
else is known yet; from then on each root vouches for the next. How late it is, is the caller's word: a box without a
clock battery learns it from the hub. Runs in a process of its own, because the library is large.
"""

import hashlib
import os
import shutil
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct
from tuf.api import exceptions
from tuf.api.metadata import TargetFile
from tuf.ngclient import Updater, UpdaterConfig

from edge.bundles import BundleId, Bundles
from edge.config import Config
from edge.config_file import BUNDLE_FILE
from edge.fetcher import Door
from protocol.errors import ConfigurationError, PermanentError, UplinkUnavailableError
from protocol.lasting import replace_file, sync_folder

PROFILE_PATTERN: Final = r"^firmware_configs/[a-z]{1,20}/[a-z0-9][a-z0-9.-]{0,63}\.toml$"
RELEASE_PATTERN: Final = r"^([0-9A-Za-z][0-9A-Za-z.+!-]{0,63})?$"
LARGEST_FILE: Final = 256 * 1024
_LARGEST_ROOT: Final = 512_000
_DOOR: Final = "/gateway/v1/configs"


class NotTrustedError(PermanentError):
    """What the hub's door gave is not what the holders of the keys signed, or it is out of date."""


class Wanted(Struct, frozen=True, kw_only=True):
    """What the box is to run, as it was signed."""

    bundle: BundleId
    version: int
    release: Annotated[str, Meta(pattern=RELEASE_PATTERN)] = ""
    profiles: Annotated[tuple[Annotated[str, Meta(pattern=PROFILE_PATTERN)], ...], Meta(max_length=256)] = ()


class Source:
    """The signed files of the hub, as of one moment. Blocking: used in a thread beside the client's loop.

    Raises NotTrustedError for what is not signed as it must be, UplinkUnavailableError when the door does not answer.
    """

    def __init__(self, config: Config, door: Door, at: datetime) -> None:
        self._config = config
        self._bundles = Bundles(config.data)
        self._door = door
        self._at = at
        self._updater: Updater

    def refresh(self) -> None:
        """Fetch and verify the metadata; on return what is known of it survives a power cut."""
        trust = self._bundles.trust
        self._forget_another_hub()
        root = self._first_root()
        try:
            self._updater = Updater(
                str(trust),
                f"{_DOOR}/metadata/",
                target_base_url=f"{_DOOR}/targets/",
                fetcher=self._door,
                config=UpdaterConfig(max_delegations=4, app_user_agent="diwang-edge"),
                bootstrap=root,
            )
            # The library reads the machine's clock, which on a box without a battery says nothing.
            self._updater._trusted_set.reference_time = self._at  # noqa: SLF001 - it offers no other way
            self._updater.refresh()
            if not self._config.configuration.root_file and not self._kept_root.is_file():
                replace_file(self._kept_root, root)
        except (exceptions.RepositoryError, exceptions.DownloadError, OSError) as error:
            raise _meaning(error) from error
        finally:
            _sync(trust)

    def wanted(self) -> Wanted | None:
        """Return what this box is to run, None when nobody has said so."""
        file = self._info(f"{self._config.gateway.id}/{BUNDLE_FILE}")
        if file is None:
            return None
        try:
            return msgspec.convert(file.custom, Wanted)
        except msgspec.ValidationError as error:
            raise NotTrustedError(f"what was signed for this box makes no sense: {error}") from error

    def stage(self, wanted: Wanted) -> None:
        """Fetch the bundle; on return it is complete and on the disk. Raises OSError."""
        if self._bundles.has(wanted.bundle):
            return
        with self._bundles.adding(wanted.bundle) as folder:
            self.save(f"{self._config.gateway.id}/{BUNDLE_FILE}", folder / BUNDLE_FILE, LARGEST_FILE)
            for profile in wanted.profiles:
                self.save(profile, folder / profile, LARGEST_FILE)

    def save(self, path: str, file: Path, largest: int) -> None:
        """Fetch one signed file; one that is there already, with the right content, stays. Raises OSError."""
        info = self._info(path)
        if info is None:
            raise NotTrustedError(f"{path} is named, but not signed")
        if info.length > largest:
            raise NotTrustedError(f"{path} has {info.length} bytes, more than {largest}")
        try:
            if self._updater.find_cached_target(info, str(file)) is None:
                self._updater.download_target(info, str(file))
        except (exceptions.RepositoryError, exceptions.DownloadError) as error:
            raise _meaning(error) from error

    def _info(self, path: str) -> TargetFile | None:
        try:
            return self._updater.get_targetinfo(path)
        except (exceptions.RepositoryError, exceptions.DownloadError) as error:
            raise _meaning(error) from error

    def _forget_another_hub(self) -> None:
        """Forget what is trusted when the box was enrolled at another hub since: its authority is another one."""
        authority = self._config.hub.ca_file
        now = hashlib.sha256(Path(authority).read_bytes()).hexdigest() if authority else ""
        note = self._bundles.trust / "authority"
        if note.is_file() and note.read_text(encoding="ascii") != now:
            shutil.rmtree(self._bundles.trust)
        self._bundles.trust.mkdir(parents=True, exist_ok=True)
        if not note.is_file():
            replace_file(note, now.encode("ascii"))

    def _first_root(self) -> bytes:
        """Return the root that is trusted without proof: the site's, or the first that the door ever gave over TLS."""
        if given := self._config.configuration.root_file:
            try:
                return Path(given).read_bytes()
            except OSError as error:
                raise ConfigurationError(f"configuration.root_file: {error.strerror}") from error
        if self._kept_root.is_file():
            return self._kept_root.read_bytes()
        try:
            return self._door.download_bytes(f"{_DOOR}/metadata/1.root.json", _LARGEST_ROOT)
        except exceptions.DownloadError as error:
            raise _meaning(error) from error

    @property
    def _kept_root(self) -> Path:
        return self._bundles.trust / "first-root.json"


def _meaning(error: Exception) -> Exception:
    """Translate the library's errors: what is wrong with the signatures, and what is only out of reach."""
    if isinstance(error, exceptions.ExpiredMetadataError):
        return NotTrustedError(f"the signed metadata is out of date: {error}")
    if isinstance(error, exceptions.RepositoryError | exceptions.DownloadLengthMismatchError):
        return NotTrustedError(f"not what was signed: {error}")
    return UplinkUnavailableError(f"the hub's door: {error}")


def _sync(trust: Path) -> None:
    for folder, _, files in os.walk(trust):
        for name in files:
            with (Path(folder) / name).open("rb") as file:
                os.fsync(file.fileno())
        sync_folder(Path(folder))
