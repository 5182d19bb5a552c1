"""Two installations of the agent side by side, `a` and `b`, and a link `current` to the one that runs.

The link is the truth: it is replaced as a whole, so that a power cut leaves the old or the new. A release that takes
over is on trial: `launch.py` beside the slots, which belongs to neither, watches it, and goes back to the other slot
when it does not prove itself. `state.json` says whether there is a trial, and which release was returned from.
"""

import os
import shutil
import sys
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from protocol import logs
from protocol.errors import ConfigurationError
from protocol.lasting import replace_file, sync_folder

LAUNCHER: Final = "launch.py"
TRIAL_VARIABLE: Final = "DIWANG_TRIAL_FD"
"""A descriptor on which the launcher hears that the trial was passed."""

EXIT_BEGIN_ANEW: Final = 75
"""Tells the launcher to begin with the slot that is current now."""

_NAMES: Final = ("a", "b")
_STATE: Final = "state.json"
_CURRENT: Final = "current"

log = logs.get(__name__)


class Trial(Struct, frozen=True, kw_only=True):
    """What the launcher knows; it reads this file too. `release` took over in `slot`, from that in `previous`."""

    trying: bool = False
    slot: str = ""
    previous: str = ""
    release: str = ""
    boots: int = 0
    within_s: float = 300.0
    rejected: str = ""
    reason: str = ""


class Slots:
    """The folder of slots; an empty path stands for a box whose agent is updated by other means."""

    def __init__(self, root: Path | None) -> None:
        self._root = root

    @classmethod
    def of(cls, setting: str) -> "Slots":
        """Return the slots that `[updates] slots` names."""
        return cls(Path(setting) if setting else None)

    @property
    def root(self) -> Path:
        """The folder; raise ConfigurationError when there is none."""
        if self._root is None or not (self._root / _CURRENT).is_symlink():
            raise ConfigurationError("updates.slots: no folder that `diwang edge slots` has made")
        return self._root

    def prepare(self) -> None:
        """Make this installation, which must lie in a slot, the current one, and put the launcher beside it.

        Raises ConfigurationError when it lies elsewhere, OSError.
        """
        if self._root is None:
            raise ConfigurationError("name the folder of the slots")
        here = Path(sys.prefix).absolute()
        if here.parent != self._root.absolute() or here.name not in _NAMES:
            raise ConfigurationError(f"this agent is installed in {here}; install it in {self._root}/a")
        launcher = Path(__file__).with_name("launch.py").read_bytes()
        replace_file(self._root / LAUNCHER, launcher)
        if not (self._root / _CURRENT).is_symlink():
            self._point(here.name)

    def lacks(self, release: str, running: str) -> bool:
        """Tell whether a release is to be installed: not the one that runs, nor one that was tried in vain."""
        return self._root is not None and release not in {"", running, self.read().rejected}

    @property
    def idle(self) -> str:
        """The slot that does not run. Raises ConfigurationError."""
        running = (self.root / _CURRENT).readlink().name
        return next(name for name in _NAMES if name != running)

    def read(self) -> Trial:
        """Return what is known of the last trial."""
        if self._root is None:
            return Trial()
        try:
            return msgspec.json.decode((self._root / _STATE).read_bytes(), type=Trial)
        except FileNotFoundError:
            return Trial()
        except (OSError, msgspec.DecodeError) as error:
            log.warning("slots_state_unreadable", reason=str(error))
            return Trial()

    def switch(self, slot: str, release: str, within_s: float) -> None:
        """Let a slot take over at the next beginning, on trial. Raises OSError, ConfigurationError."""
        running = (self.root / _CURRENT).readlink().name
        # The trial is written down first: a power cut in between leaves a trial that never began, and the old slot.
        self._write(Trial(trying=True, slot=slot, previous=running, release=release, within_s=within_s))
        self._point(slot)
        log.info("release_takes_over", release=release, slot=slot)

    def prove(self) -> None:
        """Note that the release on trial reaches the hub, and tell the launcher. Raises OSError."""
        trial = self.read()
        if not trial.trying or Path(sys.prefix).name != trial.slot:
            return
        self._write(Trial())
        log.info("release_proven", release=trial.release)
        if (descriptor := os.environ.get(TRIAL_VARIABLE, "")).isdigit():
            try:
                os.write(int(descriptor), b"proven")
            except OSError as error:
                log.info("no_launcher_hears", reason=str(error))

    def reject(self, release: str, reason: str) -> None:
        """Note that a release cannot run here. Raises OSError."""
        self._write(Trial(rejected=release, reason=reason))

    def begin_anew(self, arguments: list[str]) -> None:
        """End this process, which must have closed everything, in favour of the slot that is current now."""
        if os.environ.get(TRIAL_VARIABLE):
            os._exit(EXIT_BEGIN_ANEW)  # the launcher waits for this process, and begins anew
        launcher = str(self.root / LAUNCHER)
        python = sys._base_executable  # type: ignore[attr-defined]  # noqa: SLF001 - no slot's own interpreter
        os.execv(python, [python, launcher, *arguments])  # noqa: S606 - our own program

    def _point(self, slot: str) -> None:
        assert self._root is not None  # noqa: S101 - asked by those that call
        fresh = self._root / f"{_CURRENT}.fresh"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(slot)
        fresh.replace(self._root / _CURRENT)
        sync_folder(self._root)

    def _write(self, trial: Trial) -> None:
        replace_file(self.root / _STATE, msgspec.json.encode(trial))

    def clear(self, slot: str) -> Path:
        """Return the folder of an idle slot, emptied. Raises OSError, ConfigurationError."""
        folder = self.root / slot
        shutil.rmtree(folder, ignore_errors=True)
        return folder
