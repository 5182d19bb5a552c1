"""Bringing a job onto paper: asking, sending, waiting for a hand, beginning again, and hearing that it is done."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from drivers.contract import Health
from drivers.printer import words
from drivers.printer.contract import Condition, Dialect, PrinterStatus, Query
from drivers.printer.conversation import Conversation
from drivers.printer.jobs import Job, JobOverError, Patience, Word
from drivers.printer.journal import Ending, Journal, Result
from drivers.printer.options import PrinterOptions
from drivers.printer.pacing import Pacer
from drivers.printer.progress import Progress
from drivers.printer.transports import Connection, Line
from firmware_configs.printers import Printer
from protocol import logs
from protocol.clock import Clock
from protocol.errors import DeviceUnreachableError, UndecodableMessageError
from protocol.messages import DeviceState

_ASK_EVERY_BYTES: Final = 2_000
_LOOK_AGAIN_S: Final = 1.0
_AGAIN_S: Final = 0.2
_MOST_BREAKS: Final = 12
_SLACK_S: Final = 5.0

log = logs.get(__name__)


class Press:
    """One printer. It is connected for each job, and in between for a look: others may use it too."""

    def __init__(
        self,
        line: Line,
        *,
        dialect: Dialect,
        printer: Printer,
        options: PrinterOptions,
        clock: Clock,
        journal: Journal,
        tell: Callable[[Health], None],
    ) -> None:
        self._line, self._dialect, self._printer, self._options = line, dialect, printer, options
        self._clock, self._journal, self._tell = clock, journal, tell
        self._pacer = Pacer(printer.pace.bytes_per_second, printer.pace.lead_bytes, clock)
        self._burning_s = _SLACK_S + 2 * printer.buffer_bytes / printer.pace.bytes_per_second
        self._health: Health | None = None

    async def look(self) -> None:
        """See whether the printer is there and well; raise DeviceUnreachableError when it is not there."""
        async with self._line.connected() as connection:
            query = self._dialect.status_query
            # In the middle of a ticket that broke off the question would become part of the picture.
            if query is None or self._journal.broken_off:
                self._notice(PrinterStatus())
            else:
                self._notice(await self._talk(connection).ask(query))

    async def print(self, job: Job) -> Ending:
        """Print a job, as often as it has copies. Whoever cancels this has a ticket that broke off."""
        ending = Ending(Result.FAILED, words.NOT_BEGUN)
        for copy in range(job.copies):
            try:
                ending = await self._copy(job)
            except JobOverError as over:
                which = f" ({copy + 1}/{job.copies})" if job.copies > 1 else ""
                return Ending(over.ending.result, over.ending.detail + which)
        return ending

    async def _copy(self, job: Job) -> Ending:
        resume = self._options.broken_off == "resume"
        progress = Progress(job.picture, job.ticket, buffer_bytes=self._printer.buffer_bytes, resume=resume)
        away = Patience(self._clock, self._options.back_within_s)
        while True:
            await self._pause(job, 0)
            try:
                async with self._line.connected() as connection:
                    talk = self._talk(connection)
                    away.rest()
                    try:
                        return await self._deliver(talk, job, progress)
                    except DeviceUnreachableError:
                        progress.broke_off(talk.acknowledged)
                        raise
            except DeviceUnreachableError as error:
                matter = words.AWAY if progress.breaks else words.UNREACHED
                self._degraded(f"{matter} ({error})")
                log.info("printer_away", job=str(job.id), breaks=progress.breaks, reason=str(error))
                away.check(matter)
                _check_breaks(progress, matter)
            await self._pause(job, _LOOK_AGAIN_S)

    async def _deliver(self, talk: Conversation, job: Job, progress: Progress) -> Ending:
        """Print what is left of a ticket over one connection, from further up again where the printer lost some."""
        if self._journal.broken_off:
            await talk.send(self._journal.broken_off)
        while True:
            await self._ready(talk, job)
            if ending := await self._pass(talk, job, progress):
                await asyncio.to_thread(self._journal.whole)
                return ending
            progress.broke_off(talk.acknowledged)
            _check_breaks(progress, words.SILENT)
            await talk.send(progress.ticket.recovery)

    async def _pass(self, talk: Conversation, job: Job, progress: Progress) -> Ending | None:
        """Send what is left of a ticket; return None when rows may be lost, and it must go on from further up."""
        ticket = progress.ticket
        query = self._dialect.status_query if ticket.resumable else None
        await asyncio.to_thread(self._journal.begin, job.id, ticket.recovery)
        await talk.send(ticket.preamble)
        asked_at = talk.sent
        for band in progress.left():
            if ticket.resumable and job.cancelled.is_set():
                await talk.send(ticket.ending, last=True)
                return Ending(Result.CANCELLED, f"{words.CANCELLED}: {progress.rows_sent}/{ticket.height}")
            await talk.send(band.payload)
            progress.sent(talk.sent)
            if query and talk.sent - asked_at >= _ASK_EVERY_BYTES:
                asked_at = talk.sent
                status = await talk.ask(query)
                self._notice(status)
                if status.blocked and not await self._outlasted(talk, job, status, progress):
                    return None
        await talk.send(ticket.ending, last=True)
        return await self._finish(talk, job, resumable=ticket.resumable)

    async def _outlasted(self, talk: Conversation, job: Job, status: PrinterStatus, progress: Progress) -> bool:
        """Wait until the printer has been seen to; return whether it has kept, and burnt, all that was sent."""
        query = self._dialect.completion_query
        if query is None or Condition.COVER_OPEN in status.conditions:
            await self._ready(talk, job)
            return False
        if await self._word(talk, job, query, held=True) is not Word.BURNT:
            return False
        progress.burnt()
        return True

    async def _finish(self, talk: Conversation, job: Job, *, resumable: bool) -> Ending | None:
        """Hear what the printer says of a ticket that was sent whole; None as in `_pass`."""
        query = self._dialect.completion_query
        if query is None:
            if await self._ready(talk, job) and resumable:
                return None
            return Ending(Result.SENT_UNCONFIRMED, words.NOT_CONFIRMED)
        match await self._word(talk, job, query, held=False):
            case Word.BURNT:
                return Ending(Result.PRINTED)
            case Word.DOUBTFUL if resumable:
                return None
        raise JobOverError(Result.SENT_UNCONFIRMED, words.SILENT)

    async def _ready(self, talk: Conversation, job: Job) -> bool:
        """Wait until nothing keeps the printer from printing; return whether anything did."""
        query = self._dialect.status_query
        if query is None:
            self._notice(PrinterStatus())
            return False
        patience, waited = Patience(self._clock, self._options.hand_within_s), False
        while True:
            status = await talk.ask(query)
            self._notice(status)
            if not status.blocked:
                return waited
            waited = True
            patience.check(words.conditions(status.blocked))
            await self._pause(job, _LOOK_AGAIN_S)

    async def _word(self, talk: Conversation, job: Job, query: Query, *, held: bool) -> Word:
        """Ask whether all that was sent is on paper; `held` when the printer did not print already before.

        The question waits in the printer's buffer behind the rows: its answer says that they were not lost. Some
        printers empty their buffer when the cover opens, so that a question which came after that proves nothing; nor
        does one that is put anew because the first was never answered.
        """
        garbled = talk.garbled
        await talk.put(query)
        if query != self._dialect.status_query and await self._is_open(talk):
            await self._ready(talk, job)
            return Word.DOUBTFUL
        hand = Patience(self._clock, self._options.hand_within_s)
        word = Patience(self._clock, self._burning_s)
        while True:
            status = await self._heard(talk, query)
            if status and not status.busy and not status.blocked:
                self._notice(status)
                return Word.BURNT
            answered = status is not None
            if status is None and self._dialect.status_query:
                status = await talk.ask(self._dialect.status_query, afresh=False)
            if status is not None:
                self._notice(status)
            if status and status.blocked:
                held = True
                word.rest()
                hand.check(words.conditions(status.blocked))
            elif word.is_over():
                return Word.DOUBTFUL if held else Word.SILENT
            await self._pause(job, _AGAIN_S)
            if answered or (talk.garbled > garbled and not held):
                garbled = talk.garbled
                await talk.put(query)

    async def _is_open(self, talk: Conversation) -> bool:
        if self._dialect.status_query is None:
            return False
        status = await talk.ask(self._dialect.status_query, afresh=False)
        self._notice(status)
        return Condition.COVER_OPEN in status.conditions

    async def _heard(self, talk: Conversation, query: Query) -> PrinterStatus | None:
        try:
            return await talk.hear(query, _LOOK_AGAIN_S)
        except UndecodableMessageError:
            return None  # answers got mixed up; there will be another

    async def _pause(self, job: Job, seconds: float) -> None:
        """Wait, unless nobody wants the job any more."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await job.cancelled.wait()
        if job.cancelled.is_set():
            raise JobOverError(Result.CANCELLED, words.CANCELLED)

    def _talk(self, connection: Connection) -> Conversation:
        return Conversation(connection, self._pacer, fence_every=self._printer.pace.fence_every)

    def _notice(self, status: PrinterStatus) -> None:
        matter = words.conditions(status.conditions)
        if matter:
            self._degraded(matter)
        else:
            self._say(Health(DeviceState.OK))

    def _degraded(self, matter: str) -> None:
        self._say(Health(DeviceState.DEGRADED, matter))

    def _say(self, health: Health) -> None:
        if health != self._health:
            self._health = health
            self._tell(health)


def _check_breaks(progress: Progress, matter: str) -> None:
    if progress.breaks > _MOST_BREAKS:
        raise JobOverError(Result.FAILED, f"{matter}, {progress.breaks} x")
