"""Errands to the hub's door, run in a process of their own: what they need is large, and must not stay in the agent.

`python -m edge.errand fetch|install|report --config site.toml --at <time>` prints its Finding as one line of JSON; with
`--waiting` a report says what the box waits for.
"""

import asyncio
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from edge.bundles import BundleId
from protocol.errors import UplinkUnavailableError

Verb = Literal["fetch", "install", "report"]
LONGEST_S: Final = {"fetch": 300.0, "install": 3600.0, "report": 60.0}
_MOST_BYTES: Final = 64 * 1024


class Finding(Struct, frozen=True, kw_only=True):
    """What came of an errand.

    nothing      the hub has not said what this box is to run, or the errand has no answer
    wanted       `bundle` and `release` are what this box is to run; the bundle is here, and was found to be runnable
    refused      this box cannot run `about`, a bundle or a release, because of `reason`
    ready        the release is installed in `slot`, and was found to be runnable
    not_trusted  what the door gave was not signed as it must be, or is out of date
    unavailable  the door does not answer
    """

    outcome: Literal["nothing", "wanted", "refused", "ready", "not_trusted", "unavailable"]
    bundle: BundleId = ""
    release: Annotated[str, Meta(max_length=64)] = ""
    slot: Annotated[str, Meta(max_length=16)] = ""
    about: str = ""
    reason: str = ""


class Waiting(Struct, frozen=True, kw_only=True):
    """What a report says in place of the ledger: the bundle or release `about` takes over once the devices rest."""

    about: str
    devices: tuple[str, ...]


async def run(verb: Verb, file: Path, at: datetime, waiting: Waiting | None = None) -> Finding:
    """Run an errand and return what came of it; cancelled, it ends at once.

    Raises UplinkUnavailableError when it does not end in time, or ends without an answer.
    """
    arguments = ["-m", "edge.errand", verb, "--config", str(file), "--at", at.isoformat()]
    if waiting is not None:
        arguments += ["--waiting", msgspec.json.encode(waiting).decode()]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None  # noqa: S101 - asked for just above
    try:
        async with asyncio.timeout(LONGEST_S[verb]):
            answer = await process.stdout.read(_MOST_BYTES)
            status = await process.wait()
    except TimeoutError as error:
        raise UplinkUnavailableError(f"{verb}: no end within {LONGEST_S[verb]:.0f} s") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    try:
        return msgspec.json.decode(answer, type=Finding)
    except msgspec.DecodeError as error:
        raise UplinkUnavailableError(f"{verb}: ended with {status} and no answer") from error
