"""Configurations from the hub on this box: which one runs, which one it would go back to, and how one takes over.

Below `configuration` in the box's data folder:

    state.json            the ledger: a single file, replaced as a whole, so that a power cut leaves the old or the new
    bundles/<id>/         config.toml and firmware_configs/<family>/<name>.toml, complete before it is named anywhere
    trust/                what the box knows of the signed metadata

A bundle that takes over is on trial: unless the hub is heard in time, or if the agent is begun too often meanwhile, the
box goes back to what it ran before. Who runs no bundle runs the file that the box came with.
"""

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from edge.config_file import BUNDLE_FILE, PROFILES
from firmware_configs.schema import VARIABLE
from protocol import logs
from protocol.errors import ConfigurationError
from protocol.lasting import replace_file, sync_folder

FOLDER: Final = "configuration"
TRUST: Final = "trust"
MOST_BOOTS: Final = 3
ID_PATTERN: Final = r"^[0-9]{1,9}-[0-9a-f]{12}$"
_ID: Final = re.compile(ID_PATTERN)
_LEDGER: Final = "state.json"
_BUNDLES: Final = "bundles"

BundleId = Annotated[str, Meta(pattern=r"^([0-9]{1,9}-[0-9a-f]{12})?$", max_length=64)]
Outcome = Literal["running", "trying", "refused", "returned"]

log = logs.get(__name__)


class Ledger(Struct, frozen=True, kw_only=True):
    """What runs and what became of what was tried. Ids are empty for the file that the box came with.

    `outcome` speaks of `running`, or of the bundle or release `about` that was refused or returned from, and `detail`
    says why. `boots` counts the beginnings of the agent during a trial. `floor` is the latest time that signed metadata
    was found to be good at: the box never believes in an earlier one.
    """

    running: BundleId = ""
    previous: BundleId = ""
    outcome: Outcome = "running"
    about: str = ""
    detail: str = ""
    boots: int = 0
    floor: datetime | None = None

    def rejects(self, name: str) -> bool:
        """Tell whether this bundle or release was tried, and is not to be tried again."""
        return self.outcome in {"refused", "returned"} and self.about == name

    def refused(self, name: str, reason: str) -> "Ledger":
        """Return the ledger after this was found not to be runnable."""
        return msgspec.structs.replace(self, outcome="refused", about=name, detail=reason)

    def taken_over(self, bundle: str) -> "Ledger":
        """Return the ledger with a bundle on trial."""
        return msgspec.structs.replace(
            self, running=bundle, previous=self.running, outcome="trying", about=bundle, detail="", boots=0
        )

    def proven(self) -> "Ledger":
        """Return the ledger after the trial was passed."""
        return msgspec.structs.replace(self, outcome="running", about="", detail="", boots=0)

    def returned(self, reason: str) -> "Ledger":
        """Return the ledger with what ran before; what ran now is not tried again."""
        return msgspec.structs.replace(
            self,
            running=self.previous,
            previous="",
            outcome="returned",
            about=self.running,
            detail=reason,
            boots=0,
        )


class Bundles:
    """The folder of configurations of one box."""

    def __init__(self, data: Path) -> None:
        self.folder = data / FOLDER

    @property
    def trust(self) -> Path:
        """The folder of signed metadata."""
        return self.folder / TRUST

    def read(self) -> Ledger:
        """Return the ledger; one that cannot be read is a new one, which runs what the box came with."""
        try:
            return msgspec.json.decode((self.folder / _LEDGER).read_bytes(), type=Ledger)
        except FileNotFoundError:
            return Ledger()
        except (OSError, msgspec.DecodeError) as error:
            log.critical("configuration_ledger_unreadable", reason=str(error))
            return Ledger()

    def write(self, ledger: Ledger) -> bool:
        """Replace the ledger, so that it survives a power cut; tell whether there was room for it."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            replace_file(self.folder / _LEDGER, msgspec.json.encode(ledger))
        except OSError as error:
            log.critical("configuration_ledger_not_written", reason=str(error))
            return False
        return True

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes from adding bundles while the block runs, and wait for one: it may outlive its agent."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def place(self, bundle: str) -> Path | None:
        """Return the folder of a bundle, None for the file that the box came with; raise ConfigurationError."""
        if not bundle:
            return None
        if not self.has(bundle):
            raise ConfigurationError(f"the configuration {bundle} is not on this box")
        return self.folder / _BUNDLES / bundle

    def look_in(self, place: Path | None) -> None:
        """Let profiles be found in a bundle's folder, and in no other bundle's; the site's own folders stay."""
        given = os.environ.get(VARIABLE, "").split(os.pathsep)
        others = [each for each in given if each and not Path(each).is_relative_to(self.folder)]
        os.environ[VARIABLE] = os.pathsep.join([str(place / PROFILES), *others] if place else others)

    def has(self, bundle: str) -> bool:
        """Tell whether a bundle is here, complete."""
        return _ID.fullmatch(bundle) is not None and (self.folder / _BUNDLES / bundle / BUNDLE_FILE).is_file()

    @contextmanager
    def adding(self, bundle: str) -> Iterator[Path]:
        """Give an empty folder to fill; when the block ends it is the bundle's, complete and on the disk.

        A bundle of the same id that is there is replaced. Raises OSError.
        """
        assert _ID.fullmatch(bundle)  # noqa: S101 - ids are checked where they are decoded
        part, whole = self.folder / f"{_BUNDLES}.part", self.folder / _BUNDLES / bundle
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        yield part
        for folder, _, files in os.walk(part):
            for name in files:
                with (Path(folder) / name).open("rb") as file:
                    os.fsync(file.fileno())
            sync_folder(Path(folder))
        whole.parent.mkdir(exist_ok=True)
        shutil.rmtree(whole, ignore_errors=True)
        part.rename(whole)
        sync_folder(whole.parent)

    def prune(self, ledger: Ledger) -> None:
        """Delete the bundles that the ledger does not name."""
        kept = {ledger.running, ledger.previous}
        for folder in (self.folder / _BUNDLES).glob("*"):
            if folder.name not in kept:
                shutil.rmtree(folder, ignore_errors=True)

    def begun(self) -> Ledger:
        """Count a beginning of the agent, and go back when a trial has had too many."""
        ledger = self.read()
        if ledger.outcome != "trying":
            return ledger
        if ledger.boots >= MOST_BOOTS:
            ledger = ledger.returned(f"the agent was begun {ledger.boots} times without reaching the hub")
            log.error("configuration_returned", bundle=ledger.about, reason=ledger.detail)
        else:
            ledger = msgspec.structs.replace(ledger, boots=ledger.boots + 1)
        self.write(ledger)
        return ledger
