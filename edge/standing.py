"""What the agent says of itself on the box: a small file, for whoever stands before it, that outlives the agent."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from protocol import logs
from protocol.clock import Clock
from protocol.messages import Position, Receipt, State

FILE: Final = "standing.json"
EVERY_S: Final = 30.0
_SPACING_S: Final = 1.0
_MAX_BYTES: Final = 4 << 20

log = logs.get(__name__)


class LineState(msgspec.Struct, frozen=True, kw_only=True):
    """How the link to the hub's broker is: since when, and why it is down."""

    connected: bool
    since: datetime
    reason: str = ""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """The agent as it was at `written_at`, by the box's clock. It writes at least every `EVERY_S` while it lives.

    `fixes` are the last ones of each device that has any, about one a second, and `receipts` the last of all devices;
    both with the oldest first.
    """

    written_at: datetime
    started_at: datetime
    pid: int
    line: LineState
    clock_offset_s: float | None
    state: State
    fixes: dict[str, tuple[Position, ...]] = {}
    receipts: tuple[Receipt, ...] = ()


class Line:
    """The link's state as it changes; `changed` is called each time."""

    def __init__(self, clock: Clock, changed: Callable[[], None]) -> None:
        self._clock = clock
        self._changed = changed
        self.state = LineState(connected=False, since=clock.now(), reason="not tried yet")

    def up(self) -> None:
        """Note that the link stands."""
        self._set(connected=True, reason="")

    def down(self, reason: str) -> None:
        """Note that the link is lost, or could not be had, and why."""
        self._set(connected=False, reason=reason)

    def _set(self, *, connected: bool, reason: str) -> None:
        since = self._clock.now() if connected != self.state.connected else self.state.since
        self.state = LineState(connected=connected, since=since, reason=reason)
        self._changed()


async def keep_written(folder: Path, tell: Callable[[], Awaitable[Standing]], changed: asyncio.Event) -> None:
    """Write the standing whenever `changed` is set, at most once a second, until cancelled.

    Not synced: it is worth nothing after a power cut.
    """
    failed = False
    while True:
        changed.clear()
        standing = await tell()
        try:
            _write(folder / FILE, msgspec.json.encode(standing))
        except OSError as error:
            if not failed:
                log.warning("standing_not_written", reason=str(error))
            failed = True
        else:
            failed = False
        await asyncio.sleep(_SPACING_S)
        with suppress(TimeoutError):
            async with asyncio.timeout(EVERY_S):
                await changed.wait()


def read(folder: Path) -> Standing | None:
    """Return what the agent wrote last, None when it never did or when what is there cannot be read."""
    file = folder / FILE
    try:
        if file.stat().st_size > _MAX_BYTES:
            return None
        return msgspec.json.decode(file.read_bytes(), type=Standing)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def is_running(standing: Standing) -> bool:
    """Tell whether the process that wrote this is still an agent of this box."""
    try:
        command = Path(f"/proc/{standing.pid}/cmdline").read_bytes()
    except OSError:
        return False
    return b"edge.process" in command


def _write(file: Path, content: bytes) -> None:
    new = file.with_suffix(".new")
    new.write_bytes(content)
    os.replace(new, file)  # noqa: PTH105 - replaces on every system
