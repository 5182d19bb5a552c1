"""What the agent and the process that carries footage say to each other, and what there is to carry."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from drivers.footage import FOLDER, Clip, carriage, present
from edge.config import Config

HOLD: Final = b"hold"
GO: Final = b"go"
_AGAIN_AFTER: Final = timedelta(days=1)


class Begin(msgspec.Struct, frozen=True, kw_only=True):
    """What to carry, and where to. The password comes this way because `ps` shows command lines."""

    config: Config
    password: str

    def __repr__(self) -> str:
        return "Begin(…)"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a clip: confirmed by the hub, or refused and why."""

    sha256: str
    device: str
    bytes: int
    refused: str = ""


def waiting(data: Path, now: datetime) -> list[tuple[Path, Clip]]:
    """Return what is still to be carried from a box's data folder, the earliest kept first, with its folder.

    What the hub refused is offered again a day later: it may take larger files by then.
    """
    found = [
        (folder, clip)
        for folder in data.glob(f"devices/*/{FOLDER}")
        for clip in present(folder)
        if _is_due(folder, clip.sha256, now)
    ]
    return sorted(found, key=lambda pair: (pair[1].kept_at, pair[1].sha256))


def _is_due(folder: Path, sha256: str, now: datetime) -> bool:
    state = carriage(folder, sha256)
    if state.confirmed_at is not None:
        return False
    return state.refused_at is None or not state.refused_at <= now < state.refused_at + _AGAIN_AFTER
