"""Bringing a job onto paper: asking, sending, waiting for a hand, beginning again, and hearing that it is done."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final
from uuid import UUID

from drivers.contract import Health
from drivers.printer import words
from drivers.printer.contract import Bitmap, Condition, Dialect, PrinterStatus, Query, Ticket
from drivers.printer.conversation import Conversation
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


@dataclass(slots=True)
class Job:
    """A ticket to print. `ended` is what became of it; `cancelled` is set by whoever does not want it any more."""

    id: UUID
    picture: Bitmap
    ticket: Ticket
    copies: int
    ended: asyncio.Future[Ending]
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)


class _OverError(Exception):
    """The job ends here, without paper."""

    def __init__(self, result: Result, detail: str) -> None:
        super().__init__(detail)
        self.ending = Ending(result, detail)


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
            except _OverError as over:
                which = f" ({copy + 1}/{job.copies})" if job.copies > 1 else ""
                return Ending(over.ending.result, over.ending.detail + which)
        return ending

    async def _copy(self, job: Job) -> Ending:
        resume = self._options.broken_off == "resume"
        progress = Progress(job.picture, job.ticket, buffer_bytes=self._printer.buffer_bytes, resume=resume)
        away = _Patience(self._clock, self._options.back_within_s)
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
        """Wait until the printer has been seen to; return whether it has kept, and burnt, all that was sent.

        A question waits in its buffer behind the rows: where one is answered the others were not lost. Some printers
        empty their buffer when the cover opens; of one that was open before it could be asked, nothing is known.
        """
        query = self._dialect.completion_query
        if query is None or Condition.COVER_OPEN in status.conditions:
            await self._ready(talk, job)
            return False
        await talk.put(query)
        if await self._word(talk, job, query, held=True) is not _Word.BURNT:
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
        await talk.put(query)
        match await self._word(talk, job, query, held=False):
            case _Word.BURNT:
                return Ending(Result.PRINTED)
            case _Word.DOUBTFUL if resumable:
                return None
        raise _OverError(Result.SENT_UNCONFIRMED, words.SILENT)

    async def _ready(self, talk: Conversation, job: Job) -> bool:
        """Wait until nothing keeps the printer from printing; return whether anything did."""
        query = self._dialect.status_query
        if query is None:
            self._notice(PrinterStatus())
            return False
        patience, waited = _Patience(self._clock, self._options.hand_within_s), False
        while True:
            status = await talk.ask(query)
            self._notice(status)
            if not status.blocked:
                return waited
            waited = True
            patience.check(words.conditions(status.blocked))
            await self._pause(job, _LOOK_AGAIN_S)

    async def _word(self, talk: Conversation, job: Job, query: Query, *, held: bool) -> "_Word":
        """Wait for the answer to a completion query that was put; `held` when the printer did not print already then.

        The question is put again as long as the printer was well all the time. After that a fresh one proves nothing.
        """
        hand = _Patience(self._clock, self._options.hand_within_s)
        word = _Patience(self._clock, self._burning_s)
        while True:
            status = await self._heard(talk, query)
            if status and not status.busy and not status.blocked:
                self._notice(status)
                return _Word.BURNT
            answered = status is not None
            if status is None and self._dialect.status_query:
                status = await talk.ask(self._dialect.status_query)
            if status is not None:
                self._notice(status)
            if status and status.blocked:
                held = True
                word.rest()
                hand.check(words.conditions(status.blocked))
            elif word.is_over():
                return _Word.DOUBTFUL if held else _Word.SILENT
            await self._pause(job, _AGAIN_S)
            if answered or not held:
                await talk.put(query)

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
            raise _OverError(Result.CANCELLED, words.CANCELLED)

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


class _Word(Enum):
    """What a printer says of all that it was sent: it is on paper; rows may be lost; nothing, though it seems well."""

    BURNT = auto()
    DOUBTFUL = auto()
    SILENT = auto()


class _Patience:
    """How long something is waited for, from the first time that it is asked."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock, self._seconds = clock, seconds
        self._since: float | None = None

    def rest(self) -> None:
        """Begin anew."""
        self._since = None

    def is_over(self) -> bool:
        """Whether it has been too long."""
        now = self._clock.monotonic()
        if self._since is None:
            self._since = now
        return now - self._since >= self._seconds

    def check(self, matter: str) -> None:
        """End the job when it has been too long."""
        if self.is_over():
            raise _OverError(Result.FAILED, words.waited_for(matter, self._seconds))


def _check_breaks(progress: Progress, matter: str) -> None:
    if progress.breaks > _MOST_BREAKS:
        raise _OverError(Result.FAILED, f"{matter}, {progress.breaks} x")
