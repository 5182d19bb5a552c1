"""Whether a clip can be played, found out by a process of its own: media come from strangers, and decoders crash.

The process is `python -m drivers.recorder.probe_child CLIP`; it prints one JSON object. A clip that cannot be played is
evidence all the same: the answer says so, nothing more.
"""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

WITHIN_S: Final = 30.0
_LARGEST_ANSWER: Final = 16_384
_CHILD: Final = "drivers.recorder.probe_child"
_KEPT_ENVIRONMENT: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH")


class Probed(msgspec.Struct, frozen=True, kw_only=True):
    """What a decoder makes of a clip. `created_at` is what the container says, by the unit's clock."""

    playable: bool
    reason: str = ""
    codec: str = ""
    width: int = 0
    height: int = 0
    duration_s: float | None = None
    created_at: datetime | None = None


async def probe(clip: Path) -> Probed:
    """Look into a clip, for WITHIN_S seconds at most; whatever happens to the process, there is an answer."""
    environment = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", _CHILD, str(clip), stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL, env=environment
    )
    try:
        async with asyncio.timeout(WITHIN_S):
            assert process.stdout is not None  # noqa: S101 - opened with a pipe
            said = await process.stdout.read(_LARGEST_ANSWER)
            await process.wait()
        return msgspec.json.decode(said, type=Probed)
    except TimeoutError:
        return Probed(playable=False, reason=f"the decoder found no end within {WITHIN_S:.0f} s")
    except msgspec.DecodeError:
        return Probed(playable=False, reason="the decoder broke down over it")
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
