"""Recorded footage on its way to the hub, as the agent sees it: a process that lives while there is some to carry.

Alarms go first: while an event waits in the outbox the process is held. A copy that the hub has confirmed stays on the
box as long as the settings say.
"""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import Final

import msgspec

from drivers.contract import Report
from drivers.footage import FOLDER, carriage, discard, present
from drivers.reaping import reap
from edge.backoff import delays
from edge.config import GATEWAY_DEVICE, PASSWORD_VARIABLE, Config, Secret
from edge.outbox import Outbox
from edge.upload_words import GO, HOLD, Begin, Outcome, waiting
from protocol import logs
from protocol.clock import Clock
from protocol.messages import Event, EventState, Severity

FOOTAGE_EVENT: Final = "recorder.clip"
"""What a driver tells when it has kept a clip."""
_FIRST_WAIT_S: Final = 2.0
_LOOK_EVERY_S: Final = 3600.0
_END_WITHIN_S: Final = 3.0

log = logs.get(__name__)


class Uploads:
    """Carries the footage of all devices. `say` takes what there is to report of that."""

    def __init__(
        self,
        config: Config,
        secret: Secret,
        outbox: Outbox,
        clock: Clock,
        *,
        say: Callable[[Report], Awaitable[None]],
    ) -> None:
        self._config = config
        self._secret = secret
        self._outbox = outbox
        self._clock = clock
        self._say = say
        self._fresh = asyncio.Event()

    def hear(self, report: Report) -> None:
        """Hear what a device said: when it kept a clip, that is carried."""
        if isinstance(report.record, Event) and report.record.type == FOOTAGE_EVENT:
            self._fresh.set()

    async def run(self) -> None:
        """Carry what there is, and what comes, until cancelled. Without a door of the hub all stays on the box."""
        if not self._config.hub.api:
            return
        waits = self._waits()
        while True:
            self._fresh.clear()
            if not await asyncio.to_thread(self._tidy):
                await self._rest(_LOOK_EVERY_S)
                continue
            if await self._carry():
                waits = self._waits()
            if await asyncio.to_thread(self._tidy):
                await asyncio.sleep(next(waits))

    def _waits(self) -> Iterator[float]:
        most_s = self._config.uploads.longest_wait_s
        return delays(Random(), first_s=min(_FIRST_WAIT_S, most_s), most_s=most_s)  # noqa: S311 - spreads attempts

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._fresh.wait()

    def _tidy(self) -> bool:
        """Delete copies whose time on the box is over; return whether there is anything to carry."""
        now = self._clock.now()
        for folder in self._config.data.glob(f"devices/*/{FOLDER}"):
            for clip in present(folder):
                keep_until = carriage(folder, clip.sha256).keep_until
                if keep_until is not None and keep_until <= now and (freed := discard(folder, clip)):
                    log.info("copy_of_confirmed_clip_deleted", sha256=clip.sha256, bytes=freed)
        return bool(waiting(self._config.data, now))

    async def _carry(self) -> bool:
        """Let a process carry until it ends; return whether it got anything done."""
        settled = False
        try:
            async with self._process() as process:
                assert process.stdout is not None  # noqa: S101 - opened with a pipe
                holding = asyncio.create_task(self._hold(process), name="hold uploads")
                try:
                    while line := await process.stdout.readline():
                        await self._hear(msgspec.json.decode(line, type=Outcome))
                        settled = True
                finally:
                    holding.cancel()
                    await asyncio.wait((holding,))
        except (OSError, msgspec.DecodeError) as error:
            log.warning("uploads_broke_down", reason=str(error))
        return settled

    async def _hold(self, process: Process) -> None:
        """Let the process go on while no alarm waits."""
        while True:
            await self._outbox.alarms(waiting=False)
            _tell(process, GO)
            await self._outbox.alarms(waiting=True)
            _tell(process, HOLD)

    async def _hear(self, outcome: Outcome) -> None:
        if not outcome.refused:
            log.info("clip_is_at_the_hub", device=outcome.device, sha256=outcome.sha256, bytes=outcome.bytes)
            return
        log.error("clip_is_refused_by_the_hub", device=outcome.device, sha256=outcome.sha256, reason=outcome.refused)
        event = Event(
            device=GATEWAY_DEVICE,
            at=self._clock.now(),
            type="upload.refused",
            severity=Severity.MAJOR,
            id=self._clock.new_id(),
            state=EventState.INSTANT,
            data={"device": outcome.device, "sha256": outcome.sha256, "reason": outcome.refused},
        )
        await self._say(Report(event))

    @asynccontextmanager
    async def _process(self) -> AsyncIterator[Process]:
        """Start the process; on leaving, it is gone."""
        environment = {name: value for name, value in os.environ.items() if name != PASSWORD_VARIABLE}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "edge.carrying", stdin=PIPE, stdout=PIPE, env=environment
        )
        assert process.stdin is not None  # noqa: S101 - opened with a pipe
        try:
            begin = Begin(config=self._config, password=self._secret.reveal())
            process.stdin.write(msgspec.json.encode(begin) + b"\n")
            yield process
        finally:
            process.stdin.close()
            await reap(process, _END_WITHIN_S)


def _tell(process: Process, word: bytes) -> None:
    """Send a word; a process that has just ended does not hear it."""
    assert process.stdin is not None  # noqa: S101 - opened with a pipe
    if not process.stdin.is_closing():
        process.stdin.write(word + b"\n")
