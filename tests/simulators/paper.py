"""Paper that takes printers' bytes and shows the dots, strictly.

An unknown byte, an argument out of its bounds, a command in the wrong place or one that is cut off raises: a real
printer would print rubbish there, or nothing at all.

    paper = Paper("escpos", 384)
    paper.feed(ticket.from_band())
    paper.close()
    assert paper.picture() == as_printed(sheet.picture, ticket)
"""

import re
from collections.abc import Callable, Generator

from drivers.printer.contract import Bitmap, Ticket

Parser = Generator[int | bytes, bytes, None]
"""Yields how many bytes it needs next, or the byte up to which it needs all, and is sent exactly those."""


class UnreadableError(Exception):
    """A printer would not understand these bytes."""


def as_printed(picture: Bitmap, ticket: Ticket) -> Bitmap:
    """Return what paper shows of a whole ticket: the picture, and the white rows that follow it."""
    feed = bytes(picture.stride * ticket.feed_rows)
    return Bitmap(picture.width, picture.height + ticket.feed_rows, picture.rows + feed)


class Paper:
    """Endless paper under the head of a printer that speaks one language.

    `questions` are the status requests in their order, as bytes; `heard` is told each as it is met. `cuts` are the rows
    at which the cutter fell. After `interrupt` (the link broke) it waits for the rest of what it was told, as printers
    do, and takes the bytes that free it.
    """

    def __init__(
        self, dialect: str, width: int, *, dpi: int = 203, heard: Callable[[bytes], None] | None = None
    ) -> None:
        self.width, self.dpi = width, dpi
        self.dots_per_mm = round(dpi / 25.4)
        self.questions: list[bytes] = []
        self.cuts: list[int] = []
        self.taken = 0
        self._heard = heard
        self._rows = bytearray()
        self._resting = True
        self.interrupted = False
        self._buffer = bytearray()
        self.dialect = dialect
        self._parser = _PARSERS[dialect](self)
        self._needed = next(self._parser)

    @property
    def height(self) -> int:
        return len(self._rows) // (self.width // 8)

    @property
    def resting(self) -> bool:
        """Whether the printer is between two commands."""
        return self._resting and not self._buffer

    def feed(self, data: bytes) -> None:
        self._buffer += data
        while (size := self._available()) is not None:
            piece = bytes(self._buffer[:size])
            del self._buffer[:size]
            self.taken += size
            self._needed = self._parser.send(piece)

    def _available(self) -> int | None:
        """Return the size of the piece that the parser waits for, None while it is not whole."""
        if isinstance(self._needed, int):
            return self._needed if len(self._buffer) >= self._needed else None
        end = self._buffer.find(self._needed)
        return end + 1 if end >= 0 else None

    def close(self) -> None:
        """Raise UnreadableError when the printer still waits for something."""
        if not self.resting:
            raise UnreadableError(f"cut off after {self.taken + len(self._buffer)} bytes")

    def interrupt(self) -> None:
        """Know that the link broke, perhaps in the middle of a command."""
        self.interrupted = True
        if not self.resting and self.dialect in _FREED_BY:
            # An order of ZPL is heard anywhere; the others first fill up the picture that they wait for.
            missing = self._needed - len(self._buffer) if isinstance(self._needed, int) else 0
            missing = 0 if self.dialect == "zpl" else missing
            self._buffer.clear()
            self._parser = _stuck(self, missing, _FREED_BY[self.dialect])
            self._needed = next(self._parser)

    def picture(self) -> Bitmap:
        """Return everything that has been burnt and fed so far."""
        return Bitmap(self.width, self.height, bytes(self._rows))

    def rest(self) -> None:
        """Stand between two commands."""
        self._resting = True

    def busy(self) -> None:
        self._resting = False

    def recovered(self) -> None:
        self.interrupted = False

    def burn(self, rows: bytes | bytearray) -> None:
        self._rows += rows

    def paint(self, page: bytearray, y: int, rows: int, height: int, dots: bytes) -> None:
        """Put rows on a page below those that are there."""
        stride = self.width // 8
        self.require(rows and len(page) <= y * stride and y + rows <= height, f"{rows} rows at {y} of {height}")
        page.extend(bytes(y * stride - len(page)) + dots)

    def feed_rows(self, rows: int) -> None:
        self._rows += bytes(self.width // 8 * rows)

    def ask(self, question: bytes) -> None:
        self.questions.append(question)
        if self._heard:
            self._heard(question)

    def require(self, truth: object, what: str) -> None:
        if not truth:
            raise UnreadableError(f"{what}, before byte {self.taken}")

    def nonsense(self, what: str) -> None:
        """Raise, unless the link broke: what follows then may be anything until the printer is free again."""
        self.require(self.interrupted, what)

    def sensible(self, truth: object, what: str) -> bool:
        """Tell whether a command makes sense; only after an interruption may it make none, and is passed over."""
        self.require(truth or self.interrupted, what)
        return bool(truth)


def _stuck(paper: Paper, missing: int, word: bytes) -> Parser:
    """Wait for the bytes that are missing, then for the word that ends it all."""
    yield missing
    heard = b""
    while not heard.endswith(word):
        heard = heard[-len(word) :] + (yield 1)
    yield from _PARSERS[paper.dialect](paper)


def _escpos(paper: Paper) -> Parser:  # noqa: C901, PLR0912 - a branch for each command
    begun = units = False
    while True:
        paper.rest()
        first = yield 1
        if first == b"\x00":
            paper.nonsense("a zero outside of a command")
            continue
        paper.busy()
        command = first + (yield 1)
        if command == b"\x1b@":
            begun, units = True, False
            paper.recovered()
        elif command in {b"\x10\x04", b"\x1dr", b"\x1da"}:
            n = yield 1
            known = {b"\x10\x04": n in b"\x01\x02\x03\x04", b"\x1dr": n == b"\x01", b"\x1da": True}
            if paper.sensible(known[command], f"{command!r} asks for nothing known"):
                paper.ask(command + n)
        elif command == b"\x1dP":
            per_inch = yield 2
            units = paper.sensible(per_inch == bytes((paper.dpi, paper.dpi)), "the motion unit is not a dot")
        elif command == b"\x1bJ":
            rows = yield 1
            if paper.sensible(begun and units and rows[0], "a feed of nothing, or in a unit that nobody set"):
                paper.feed_rows(rows[0])
        elif command == b"\x1dv":
            head = yield 6
            stride, height = int.from_bytes(head[2:4], "little"), int.from_bytes(head[4:6], "little")
            known_mode = head[:2] == b"0\x00" and stride == paper.width // 8 and 0 < height <= 2_303
            if paper.sensible(
                begun and known_mode, f"a raster of mode {head[:2]!r} and {stride} bytes by {height} rows"
            ):
                paper.burn((yield stride * height))
        elif command == b"\x1dV":
            if paper.sensible((yield 2) == b"B\x00", "an unknown cut"):
                paper.cuts.append(paper.height)
        else:
            paper.nonsense(f"{command!r} is no command")


def _line(so_far: bytes = b"") -> Generator[int | bytes, bytes, str]:
    """Read the rest of a line of plain ASCII; the line feed belongs to it."""
    line = bytearray(so_far)
    while not line.endswith(b"\r\n"):
        line += yield 1
        if len(line) > 80 or (line[-1] < 0x20 and line[-1] not in b"\r\n") or line[-1] > 0x7E:
            raise UnreadableError(f"{bytes(line)!r} is no line")
    return line[:-2].decode("ascii")


def _word(end: bytes, longest: int = 12) -> Generator[int | bytes, bytes, str]:
    """Read up to a character that ends a word, which is not part of it."""
    word = bytearray()
    while (character := (yield 1)) != end:
        word += character
        if len(word) > longest or not 0x20 < character[0] < 0x7F:
            raise UnreadableError(f"{bytes(word)!r} is no word")
    return word.decode("ascii")


def _numbers(end: bytes, count: int, last: bytes) -> Generator[int | bytes, bytes, list[int]]:
    """Read so many decimal numbers, each ended by `end`, the last by `last`."""
    numbers = []
    for number in range(count):
        word = yield from _word(end if number < count - 1 else last)
        if not re.fullmatch("[0-9]{1,9}", word):
            raise UnreadableError(f"{word!r} is no number")
        numbers.append(int(word))
    return numbers


def _tspl(paper: Paper) -> Parser:
    while True:
        paper.rest()
        first = yield 1
        if first == b"\x1b":
            paper.busy()
            paper.require((yield 2) == b"!?", "an unknown real-time command")
            paper.ask(b"\x1b!?")
            continue
        paper.busy()
        line = yield from _line(first)
        if line in {"", "CLS"}:
            paper.nonsense("a line that belongs to no page")
            continue
        paper.recovered()
        size = re.fullmatch(r"SIZE ([0-9.]+) mm,([0-9.]+) mm", line)
        paper.require(size, f"{line!r} does not begin a page")
        across, along = (float(number) * paper.dots_per_mm for number in size.groups()) if size else (0, 0)
        height = round(along)
        paper.require(round(across) == paper.width and abs(along - height) < 0.05, f"a page of {across} x {along}")
        for expected in ("GAP 0 mm,0 mm", "DIRECTION 0", "REFERENCE 0,0", "CLS"):
            line = yield from _line()
            paper.require(line == expected, f"{line!r} for {expected!r}")
        page = bytearray()
        while (word := (yield 7)) == b"BITMAP ":
            x, y, stride, rows, mode = yield from _numbers(b",", 5, b",")
            paper.require((x, mode, stride * 8) == (0, 0, paper.width), "a wrong bitmap")
            paper.paint(page, y, rows, height, bytes(0xFF - byte for byte in (yield stride * rows)))
            paper.require((yield 2) == b"\r\n", "bytes after the bitmap")
        paper.require(page and word + (yield 4) == b"PRINT 1,1\r\n", f"{word!r} for a bitmap or its printing")
        paper.burn(page.ljust(height * paper.width // 8, b"\0"))


def _cpcl(paper: Paper) -> Parser:
    while True:
        paper.rest()
        first = yield 1
        if first == b"\x00":
            paper.nonsense("a zero outside of a page")
            continue
        paper.busy()
        if first == b"\x1b":
            paper.require((yield 1) == b"h", "an unknown escape command")
            paper.ask(b"\x1bh")
            continue
        line = yield from _line(first)
        if line in {"", "! UTILITIES", "ABORT"}:
            paper.nonsense("a line that belongs to no page")
            continue
        paper.recovered()
        page = re.fullmatch(r"! 0 200 200 ([0-9]{1,5}) 1", line)
        paper.require(page, f"{line!r} does not begin a page")
        height = int(page.group(1)) if page else 0
        for expected in (f"PAGE-WIDTH {paper.width}", "JOURNAL"):
            line = yield from _line()
            paper.require(line == expected, f"{line!r} for {expected!r}")
        dots = bytearray()
        while (word := (yield 3)) == b"CG ":
            stride, rows, x, y = yield from _numbers(b" ", 4, b" ")
            paper.require((x, stride * 8) == (0, paper.width), "a wrong picture")
            paper.paint(dots, y, rows, height, (yield stride * rows))
            paper.require((yield 2) == b"\r\n", "bytes after the picture")
        paper.require(dots and word + (yield 4) == b"PRINT\r\n", f"{word!r} for a picture or its printing")
        paper.burn(dots.ljust(height * paper.width // 8, b"\0"))


_ONES = "GHIJKLMNOPQRSTUVWXY"
_TWENTIES = "ghijklmnopqrstuvwxyz"


def _unshortened(data: str, stride: int, paper: Paper) -> bytes:
    """Read the digits of a graphic field: hexadecimal, with counts before a digit, `,` `!` and `:` for rows."""
    rows: list[str] = []
    row, times = "", 0
    for character in data:
        if character in _ONES:
            times += _ONES.index(character) + 1
        elif character in _TWENTIES:
            times += 20 * (_TWENTIES.index(character) + 1)
        elif character in "0123456789ABCDEF":
            row, times = row + character * (times or 1), 0
            paper.require(len(row) <= 2 * stride, "more dots than a row has")
        elif character in ",!":
            paper.require(times == 0, "a count before the end of a row")
            row = row.ljust(2 * stride, "0" if character == "," else "F")
        elif character == ":":
            paper.require(times == 0 and not row and rows, "a row like the one above, where there is none")
            row = rows[-1]
        else:
            raise UnreadableError(f"{character!r} in a graphic field")
        if len(row) == 2 * stride:
            rows.append(row)
            row = ""
    paper.require(not row and not times, "an unfinished row")
    return bytes.fromhex("".join(rows))


def _zpl(paper: Paper) -> Parser:
    while True:
        paper.rest()
        first = yield 1
        paper.busy()
        opening = first + (yield 2)
        if opening == b"~HS":
            paper.ask(opening)
            continue
        if opening == b"~JA":
            paper.nonsense("an order to cancel what nobody began")
            paper.recovered()
            continue
        paper.recovered()
        paper.require(opening == b"^XA", f"{opening!r} does not begin a format")
        head = "^MNN^PON^LH0,0^LS0^LT0^PW"
        paper.require((yield len(head)) == head.encode(), "an unknown set-up")
        (width,) = yield from _numbers(b"^", 1, b"^")
        paper.require((yield 2) == b"LL" and width == paper.width, "another width")
        (height,) = yield from _numbers(b"^", 1, b"^")
        paper.require(height <= 32_000, "a page too long")
        page = bytearray()
        while (word := (yield 5))[:4] == b"FO0,":
            tail = yield b"^"
            paper.require(re.fullmatch(rb"[0-9]{0,5}\^", tail), "a wrong place")
            paper.require((yield 4) == b"GFA,", "no graphic field")
            total, again, stride = yield from _numbers(b",", 3, b",")
            paper.require(total == again and stride * 8 == paper.width, "a wrong field")
            dots = _unshortened((yield b"^")[:-1].decode("latin-1"), stride, paper)
            paper.require(len(dots) == total, f"{len(dots)} bytes of dots for {total}")
            paper.paint(page, int(word[4:] + tail[:-1]), total // stride, height, dots)
            paper.require((yield 3) == b"FS^", "an unknown end of a field")
        paper.require(page and word + (yield 1) == b"PQ1^XZ", f"{word!r} for a field or the end")
        paper.burn(page.ljust(height * paper.width // 8, b"\0"))


_PARSERS: dict[str, Callable[[Paper], Parser]] = {"escpos": _escpos, "tspl": _tspl, "cpcl": _cpcl, "zpl": _zpl}
_FREED_BY = {"tspl": b"CLS\r\n", "cpcl": b"ABORT\r\n", "zpl": b"~JA"}
"""What ends a page that broke off. A raster of ESC/POS is just filled up."""
