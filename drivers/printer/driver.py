"""One printer as the agent sees it: jobs in, receipts and health out."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from drivers.contract import Answer, Health, Report
from drivers.printer import words
from drivers.printer.contract import Dialect, Ticket
from drivers.printer.dialects import dialect_of
from drivers.printer.fonts import Fonts, find_fonts
from drivers.printer.jobs import Job
from drivers.printer.journal import Ending, Journal, Result
from drivers.printer.layout import Sheet, lay_out
from drivers.printer.options import PrinterOptions
from drivers.printer.press import Press
from drivers.printer.transports import Line, line_to
from firmware_configs.printers import PRINTERS, Printer
from protocol.clock import Clock
from protocol.documents import Document, PrintOrder, decode_order
from protocol.errors import DeviceRefusedError, DeviceUnreachableError, UndecodableMessageError
from protocol.messages import Receipt

PATIENCE_S: Final = 60.0
"""Longer than a ticket takes. One that waits for paper or for a hand may take for ever."""

MOST_JOBS: Final = 5
"""Jobs that are under way or wait. Whoever has more to print finds out soon that something is wrong."""
ANSWER_WITHIN_S: Final = 240.0
"""An order is answered within this time, with the job's end or that it waits; the receipt tells the end."""
_MISSED_S: Final = 5.0
"""After a look that found nobody: until the next, which decides."""


class PrinterDriver:
    """A `Reports`, `Obeys`, `Works`, `Rests` and `Releases` driver.

    Its job is `print` (arguments: `protocol.documents.PrintOrder`), its command `cancel` (argument: `job`, the id of a
    `print` command). Jobs are done one after the other while the reports are iterated.
    """

    jobs = frozenset({"print"})
    commands = frozenset({"cancel"})
    patience_s = PATIENCE_S

    def __init__(
        self,
        device: str,
        line: Line,
        *,
        printer: Printer,
        options: PrinterOptions,
        fonts: Fonts,
        clock: Clock,
        journal: Journal,
    ) -> None:
        self.device = device
        self._printer, self._options, self._fonts, self._journal = printer, options, fonts, journal
        self._dialect: Dialect = dialect_of(printer)
        self._said: asyncio.Queue[Report | Health | None] = asyncio.Queue()
        self._press = Press(
            line,
            dialect=self._dialect,
            printer=printer,
            options=options,
            clock=clock,
            journal=journal,
            tell=self._said.put_nowait,
        )
        self._rendering = asyncio.Lock()
        self._places: set[UUID] = set()
        self._jobs: dict[UUID, Job] = {}
        self._waiting: asyncio.Queue[Job] = asyncio.Queue()
        self._printing: Job | None = None
        self._untold: dict[int, UUID] = {}
        self._told = 0
        self._closed = False
        self._idle = asyncio.Event()
        self._idle.set()

    async def reports(self) -> AsyncIterator[Report | Health]:
        """Print, and yield receipts and how the printer is; raise DeviceUnreachableError when it is not there."""
        async with _beside(self._serve()) as serving:
            serving.add_done_callback(lambda _: self._said.put_nowait(None))
            while (said := await self._said.get()) is not None:
                yield said
            await serving

    def release(self, count: int) -> None:
        for number in [number for number in self._untold if number <= count]:
            self._journal.forget(self._untold.pop(number))

    async def work(self, job: UUID, name: str, args: dict[str, Any]) -> Answer:
        if name not in self.jobs:
            raise DeviceRefusedError(f"a printer has no job {name!r}")
        try:
            order = decode_order(args)
        except UndecodableMessageError as error:
            raise DeviceRefusedError(f"not to be printed: {error}") from error
        if len(self._places) >= MOST_JOBS:
            raise DeviceRefusedError(f"排队已满 {MOST_JOBS} tickets wait already")
        self._places.add(job)
        self._idle.clear()
        try:
            sheet, taken = await self._taken(job, order)
            await asyncio.wait((taken.ended,), timeout=ANSWER_WITHIN_S)
        finally:
            self._places.discard(job)
            self._note_idle()
        missing = {"without_glyph": "".join(sorted(sheet.boxed))} if sheet.boxed else {}
        return Answer(_told(taken) | missing)

    async def obey(self, name: str, args: dict[str, Any]) -> Answer:
        if name not in self.commands:
            raise DeviceRefusedError(f"a printer does not know {name!r}")
        if args.keys() != {"job"} or not isinstance(args["job"], str):
            raise DeviceRefusedError("cancel takes one argument, `job`: the id of a `print` command")
        job = next((job for job in self._jobs.values() if str(job.id) == args["job"].lower()), None)
        if job is None:
            raise DeviceRefusedError(f"no job {args['job'][:64]!r} waits or is being printed")
        job.cancelled.set()
        if job is not self._printing:
            await self._end(job, Ending(Result.CANCELLED, words.CANCELLED))
        await asyncio.wait((job.ended,), timeout=ANSWER_WITHIN_S)
        return Answer(_told(job))

    @asynccontextmanager
    async def at_rest(self) -> AsyncIterator[None]:
        """Enter once every job that was taken is over."""
        await self._idle.wait()
        yield

    def close(self) -> None:
        """Answer whoever waits. The journal has what was under way, and ends it when it is opened next."""
        self._closed = True
        self._idle.set()
        for job in self._jobs.values():
            cut_off = Ending(Result.INTERRUPTED, words.INTERRUPTED)
            job.ended.set_result(cut_off if job is self._printing else Ending(Result.FAILED, words.NOT_BEGUN))

    async def _serve(self) -> None:
        for receipt in self._journal.receipts():
            self._tell(receipt)
        await self._press.look()
        next_look_s = self._options.watch_every_s
        while True:
            if job := await self._next(next_look_s):
                ending = await self._print(job)
                if ending.result is not Result.FAILED:
                    continue
            try:
                await self._press.look()
            except DeviceUnreachableError:
                # Once, it may be somebody else who prints.
                if next_look_s == _MISSED_S or job:
                    raise
                next_look_s = _MISSED_S
            else:
                next_look_s = self._options.watch_every_s

    async def _next(self, within_s: float) -> Job | None:
        try:
            async with asyncio.timeout(within_s):
                return await self._waiting.get()
        except TimeoutError:
            return None

    async def _print(self, job: Job) -> Ending:
        self._printing = job
        ending = await self._press.print(job)
        await self._end(job, ending)
        self._printing = None
        return ending

    async def _taken(self, number: UUID, order: PrintOrder) -> tuple[Sheet, Job]:
        """Set the document, write the job down, and let it wait for its turn."""
        async with self._rendering:
            sheet, ticket = await asyncio.to_thread(self._set, order.document)
            await asyncio.to_thread(self._journal.take, number)
        ended: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        job = Job(number, sheet.picture, ticket, order.copies, ended)
        if self._closed:  # while it was set: nobody prints it any more, and its receipt comes at the next opening
            ended.set_result(Ending(Result.FAILED, words.NOT_BEGUN))
            return sheet, job
        self._jobs[number] = job
        self._waiting.put_nowait(job)
        return sheet, job

    def _set(self, document: Document) -> tuple[Sheet, Ticket]:
        sheet = lay_out(document, self._fonts, width=self._printer.width, dots_per_mm=self._printer.dots_per_mm)
        try:
            return sheet, self._dialect.encode(sheet.picture)
        except ValueError as error:
            raise DeviceRefusedError(f"not to be printed: {error}") from error

    async def _end(self, job: Job, ending: Ending) -> None:
        if self._jobs.pop(job.id, None) is None:
            return  # it was cancelled while it waited
        receipt = await asyncio.to_thread(self._journal.end, job.id, ending)
        job.ended.set_result(ending)
        self._tell(receipt)
        self._note_idle()

    def _note_idle(self) -> None:
        if not self._places and not self._jobs:
            self._idle.set()

    def _tell(self, receipt: Receipt) -> None:
        self._told += 1
        self._untold[self._told] = UUID(receipt.job)
        self._said.put_nowait(Report(receipt))


@asynccontextmanager
async def open_printer(
    device: str, options: PrinterOptions, clock: Clock, folder: Path
) -> AsyncIterator[PrinterDriver]:
    """Open a printer without waiting for it; what became of its last jobs is told first.

    Raises ConfigurationError for a profile or fonts that are not there, and a line that this box does not have.
    """
    printer = PRINTERS.load(options.profile)
    line = line_to(options.line, printer)
    journal = Journal(folder / "jobs", device, clock)
    await asyncio.to_thread(journal.load)
    fonts = await asyncio.to_thread(find_fonts, options.font_folder)
    driver = PrinterDriver(device, line, printer=printer, options=options, fonts=fonts, clock=clock, journal=journal)
    try:
        yield driver
    finally:
        driver.close()


@asynccontextmanager
async def _beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    """Let something run beside the body; on leaving it is over.

    A task group would wrap the body's own exceptions, among them the one that closes a generator.
    """
    task = asyncio.get_running_loop().create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait((task,))


def _told(job: Job) -> dict[str, Any]:
    if not job.ended.done():
        return {"result": "waiting", "detail": ""}
    ending = job.ended.result()
    return {"result": ending.result.value, "detail": ending.detail}
