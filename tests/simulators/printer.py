"""A ticket printer: a small buffer, a head that burns at its own speed, and everything that goes wrong with printers.

It does what real ones were seen to do: it acknowledges bytes before it has room for them and drops what does not fit;
it answers real-time questions as they arrive, wherever they stand, also where the bytes of a picture look like one; it
goes on burning what its buffer holds after the line is cut; and a command that was cut off waits for the rest of it.
"""

import asyncio
import os
import tty
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from drivers.printer.contract import Bitmap
from tests.simulators.paper import Paper, UnreadableError

_TICK_S: Final = 0.005
_REAL_TIME: Final = {"escpos": (b"\x10\x04", 3), "tspl": (b"\x1b!?", 3), "zpl": (b"~HS", 3), "cpcl": (b"", 0)}

Speak = Callable[[bytes], None]


@dataclass
class Printer:
    """The machine, whatever line it hangs on. `heard` is notified whenever it has changed.

    Faults are the flags, and `out_of_paper_at`: the row after which the roll is empty, `cut_at`: how many bytes come in
    before the line is cut (`switched_off_at` likewise, and its buffer is lost), each once.
    """

    dialect: str = "escpos"
    width: int = 384
    dpi: int = 203
    bytes_per_second: float = 120_000
    buffer_bytes: int = 8_192
    silent: bool = False
    forgets_when_opened: bool = False
    paper_out: bool = False
    paper_near_end: bool = False
    cover_open: bool = False
    overheated: bool = False
    out_of_paper_at: int | None = None
    cut_at: int | None = None
    switched_off_at: int | None = None
    received: int = 0
    dropped: int = 0
    connections: int = 0
    unreadable: UnreadableError | None = None
    speak: Speak | None = None
    hang_up: Callable[[], None] | None = None
    heard: asyncio.Condition = field(default_factory=asyncio.Condition)

    def __post_init__(self) -> None:
        self._buffer = bytearray()
        self._tail = b""
        self._strips: list[bytes] = []
        self._paper = self._roll()
        self._news = asyncio.Event()
        self._accepted = self._burnt = 0
        self._breaks: list[int] = []

    @property
    def feed_rows(self) -> int:
        """White rows after a ticket."""
        return round(12 * self.dpi / 25.4)

    @property
    def stuck(self) -> bool:
        return self.paper_out or self.cover_open or self.overheated

    @property
    def at_rest(self) -> bool:
        return not self._buffer

    @property
    def rows(self) -> list[bytes]:
        """All rows of dots that are on paper."""
        dots, stride = b"".join((*self._strips, self._paper.picture().rows)), self.width // 8
        return [dots[at : at + stride] for at in range(0, len(dots), stride)]

    @property
    def picture(self) -> Bitmap:
        rows = self.rows
        return Bitmap(self.width, len(rows), b"".join(rows))

    def take(self, piece: bytes) -> None:
        """Get bytes over the line."""
        for name in ("cut_at", "switched_off_at"):
            at = getattr(self, name)
            if at is not None and self.received + len(piece) >= at:
                setattr(self, name, None)
                self._arrive(piece[: at - self.received])
                if name == "switched_off_at":
                    self.lose_power()
                self._drop_line()
                return
        self._arrive(piece)

    def plugged(self, speak: Speak, hang_up: Callable[[], None]) -> None:
        """Get a line."""
        self.speak, self.hang_up = speak, hang_up
        self.connections += 1
        self._tail = b""

    def unplugged(self) -> None:
        """Lose the line; a command may be unfinished."""
        self.speak = self.hang_up = None
        self._break()
        self._news.set()

    def left_alone(self) -> None:
        """Its client has died; the line still stands, and a command may be unfinished."""
        self._break()

    def lose_power(self) -> None:
        """Forget everything but the paper."""
        self._buffer.clear()
        self._burnt = self._accepted
        self._strips.append(self._paper.picture().rows)
        self._paper = self._roll()
        self._paper.interrupt()

    def open_cover(self) -> None:
        self.cover_open = True
        self._paper.interrupt()
        if self.forgets_when_opened:
            self.lose_power()
        self._news.set()

    def see_to(self) -> None:
        """Put paper in, close the cover, let it cool."""
        self.paper_out = self.cover_open = self.overheated = False
        self._paper.interrupt()
        self._news.set()

    async def until(self, condition: Callable[[], bool], within_s: float = 30.0) -> None:
        """Wait until the printer is so."""
        async with asyncio.timeout(within_s), self.heard:
            await self.heard.wait_for(condition)

    async def run(self) -> None:
        """Burn what is in the buffer, until cancelled."""
        loop = asyncio.get_running_loop()
        at, owed = loop.time(), 0.0
        while True:
            async with self.heard:
                self.heard.notify_all()
            if self.stuck or not self._buffer:
                self._news.clear()
                await self._news.wait()
                at, owed = loop.time(), 0.0
                continue
            await asyncio.sleep(_TICK_S)
            now = loop.time()
            owed, at = owed + (now - at) * self.bytes_per_second, now
            taken = min(int(owed), len(self._buffer))
            owed -= taken
            self._burn(taken)

    def _burn(self, count: int) -> None:
        for _ in range(count):
            if self.stuck:
                return
            if self._breaks and self._breaks[0] <= self._burnt:
                self._paper.interrupt()
                self._breaks.pop(0)
            byte = bytes(self._buffer[:1])
            del self._buffer[:1]
            self._burnt += 1
            try:
                self._paper.feed(byte)
            except UnreadableError as error:
                self.unreadable = self.unreadable or error
                raise
            if self.out_of_paper_at is not None and len(self.rows) >= self.out_of_paper_at:
                self.out_of_paper_at, self.paper_out = None, True
                self._paper.interrupt()

    def _arrive(self, piece: bytes) -> None:
        self.received += len(piece)
        self._answer_in_real_time(piece)
        room = self.buffer_bytes - len(self._buffer)
        self.dropped += max(0, len(piece) - room)
        self._buffer += piece[:room]
        self._accepted += len(piece[:room])
        if len(piece) > room:
            self._break()
        self._news.set()

    def _break(self) -> None:
        """After the bytes that came so far, others may be missing."""
        self._breaks.append(self._accepted)

    def _drop_line(self) -> None:
        if self.hang_up:
            self.hang_up()
        self.unplugged()

    def _roll(self) -> Paper:
        return Paper(self.dialect, self.width, dpi=self.dpi, heard=self._asked_in_turn)

    def _answer_in_real_time(self, piece: bytes) -> None:
        prefix, length = _REAL_TIME[self.dialect]
        if not prefix:
            return
        self._tail += piece
        while (at := self._tail.find(prefix)) >= 0 and len(self._tail) >= at + length:
            question, self._tail = self._tail[at : at + length], self._tail[at + length :]
            self._say(self._answer(question))
        self._tail = self._tail[-(length - 1) :]

    def _asked_in_turn(self, question: bytes) -> None:
        prefix, _ = _REAL_TIME[self.dialect]
        if not prefix or not question.startswith(prefix):
            self._say(self._answer(question))

    def _say(self, answer: bytes) -> None:
        if self.speak and answer and not self.silent:
            self.speak(answer)

    def _answer(self, question: bytes) -> bytes:
        busy, out, hot, lid = bool(self._buffer), self.paper_out, self.overheated, self.cover_open
        paused = self.stuck and not out and not lid
        answers = {
            b"\x10\x04\x01": bytes((0x12 | 0x08 * self.stuck,)),
            b"\x10\x04\x02": bytes((0x12 | 0x04 * lid | 0x20 * out,)),
            b"\x10\x04\x03": bytes((0x12 | 0x40 * hot,)),
            b"\x10\x04\x04": bytes((0x12 | 0x60 * out | 0x0C * self.paper_near_end,)),
            b"\x1dr\x01": bytes((0x0C * out | 0x03 * self.paper_near_end,)),
            b"\x1b!?": bytes((0x01 * lid | 0x04 * out | 0x80 * hot | 0x20 * busy,)),
            b"\x1bh": bytes((0x02 * out | 0x04 * lid,)),
            b"~HS": (
                f"\x02030,{out:d},{paused:d},1279,{busy:03d},0,0,0,000,0,0,{hot:d}\x03\r\n"
                f"\x02000,0,{lid:d},0,0,2,4,0,00000000,1,000\x03\r\n\x021234,0\x03\r\n"
            ).encode(),
        }
        return answers.get(question, b"")


@asynccontextmanager
async def running(printer: Printer) -> AsyncIterator[Printer]:
    """Switch a printer on."""
    burning = asyncio.create_task(printer.run())
    try:
        yield printer
    finally:
        burning.cancel()
        await asyncio.wait((burning,))
    if printer.unreadable:
        raise printer.unreadable


@asynccontextmanager
async def in_the_network(printer: Printer, *, port: int = 0) -> AsyncIterator[int]:
    """Put a printer on a TCP port, for one client at a time; gives the port."""
    clients: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if printer.speak is not None:
            writer.close()
            return
        clients.add(writer)
        printer.plugged(writer.write, writer.transport.abort)
        try:
            while piece := await reader.read(1024):
                if printer.speak is None:
                    break
                printer.take(piece)
        except ConnectionError:
            pass
        finally:
            clients.discard(writer)
            if printer.speak is not None:
                printer.unplugged()
            writer.close()

    async with running(printer):
        server = await asyncio.start_server(serve, "127.0.0.1", port)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for client in tuple(clients):
                client.transport.abort()
            await server.wait_closed()


@asynccontextmanager
async def on_a_cable(printer: Printer, *, cooked: bool = False) -> AsyncIterator[str]:
    """Put a printer on a terminal line that looks like a USB printer's device; gives its path.

    A `cooked` one is left as the system makes it, like a bound RFCOMM device: it echoes, and changes line ends.
    """
    loop = asyncio.get_running_loop()
    far, near = os.openpty()
    if not cooked:
        tty.setraw(near)
    os.set_blocking(far, False)

    def take() -> None:
        try:
            piece = os.read(far, 1024)
        except OSError:  # nobody holds the near end
            return
        printer.take(piece)

    def speak(answer: bytes) -> None:
        os.write(far, answer)

    async with running(printer):
        printer.plugged(speak, lambda: None)
        loop.add_reader(far, take)
        try:
            yield os.ttyname(near)
        finally:
            loop.remove_reader(far)
            os.close(near)
            os.close(far)
