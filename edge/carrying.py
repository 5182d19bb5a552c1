"""The process that carries footage to the hub: `python -m edge.carrying`, spoken to over standard input and output.

It has the HTTP client that the agent does not carry around, lives while there is something to carry, and forgets
nothing when it is killed. Its first line in is a Begin, each later one `go` or `hold`; each line out is an Outcome. It
ends when everything has been carried (0), when the hub is away (AWAY), and when its input closes.
"""

import asyncio
import logging
import os
import sys
from datetime import timedelta
from typing import Final

import msgspec

from edge.config import Secret
from edge.hub_http import hub_client
from edge.tus import Carrier
from edge.upload_pace import Valve
from edge.upload_words import GO, HOLD, Begin, Outcome, waiting
from protocol import logs
from protocol.clock import SystemClock
from protocol.errors import ConfigurationError, UplinkUnavailableError

AWAY: Final = 75
WRONG: Final = 78
_NICENESS: Final = 5
_LINE_BYTES: Final = 1 << 20

log = logs.get(__name__)


async def _run(begin: Begin, words: asyncio.StreamReader) -> int:
    valve = Valve(begin.config.uploads.limit_kib_s * 1024, SystemClock())
    valve.shut()  # until the agent knows that no alarm waits
    carrying = asyncio.create_task(_carry_all(begin, valve), name="carrying")
    listening = asyncio.create_task(_listen(words, valve), name="listening")
    await asyncio.wait((carrying, listening), return_when=asyncio.FIRST_COMPLETED)
    for task in (carrying, listening):
        task.cancel()
    await asyncio.wait((carrying, listening))
    return 0 if carrying.cancelled() else carrying.result()


async def _carry_all(begin: Begin, valve: Valve) -> int:
    keep_for, clock = timedelta(days=begin.config.uploads.keep_days), SystemClock()
    try:
        async with hub_client(begin.config, Secret(begin.password)) as client:
            carrier = Carrier(client, valve, clock, keep_for=keep_for)
            while todo := waiting(begin.config.data, clock.now()):
                for folder, clip in todo:
                    state = await carrier.carry(folder, clip)
                    if state.confirmed_at is None and not state.refused:
                        log.warning("clip_not_confirmed", sha256=clip.sha256)
                        return AWAY
                    _say(Outcome(sha256=clip.sha256, device=clip.device, bytes=clip.bytes, refused=state.refused))
    except ConfigurationError as error:
        log.error("footage_cannot_be_carried", reason=str(error))  # noqa: TRY400 - a setting is wrong, no program
        return WRONG
    except (UplinkUnavailableError, OSError) as error:
        log.warning("footage_waits", reason=str(error))
        return AWAY
    return 0


async def _listen(words: asyncio.StreamReader, valve: Valve) -> None:
    while line := await words.readline():
        if line.strip() == HOLD:
            valve.shut()
        elif line.strip() == GO:
            valve.open()


def _say(outcome: Outcome) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(outcome) + b"\n")
    sys.stdout.buffer.flush()


async def _main() -> int:
    words = asyncio.StreamReader(limit=_LINE_BYTES)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(words), sys.stdin)
    begin = msgspec.json.decode(await words.readline(), type=Begin)
    return await _run(begin, words)


def main() -> int:
    """Carry until there is nothing left, and return the exit code."""
    logs.configure(program="uploads", json_lines=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    os.nice(_NICENESS)
    return asyncio.run(_main())


if __name__ == "__main__":
    sys.exit(main())
