"""ZPL II (Zebra's programming guide): the picture as graphic fields in hexadecimal, repeats shortened."""

import re
from collections.abc import Collection
from itertools import groupby
from typing import Final

from drivers.printer.contract import Bitmap, Condition, PrinterStatus, Query, Ticket
from drivers.printer.dialects.pages import PageLanguage
from protocol.errors import UndecodableMessageError

STATUS: Final = b"~HS"
CANCEL_ALL: Final = b"~JA"
SAME_AS_ABOVE: Final = ":"
ZEROS_TO_END: Final = ","
ONES_TO_END: Final = "!"
_ONES: Final = "GHIJKLMNOPQRSTUVWXY"
"""G stands for 1 time, Y for 19 times."""
_TWENTIES: Final = "ghijklmnopqrstuvwxyz"
"""g stands for 20 times, z for 400 times."""

_ANSWER: Final = re.compile(
    rb"\x02\d{3},([01]),([01]),\d{4},(\d{3}),[01],[01],([01]),\d{3},[01],([01]),([01])\x03\r\n"
    rb"\x02\d{3},\d,([01]),([01]),[01],\d,\d,[01],(\d{8}),\d,\d{3}\x03\r\n"
    rb"\x02[^\x02\x03]{4},[01]\x03\r\n"
)
"""The three lines of a host status: paper out, pause, formats waiting, format unfinished, too cold, too hot; head up,
ribbon out, labels to come. The third has a password, which is nobody's business."""
_LINES: Final = 3
_LONGEST_ANSWER: Final = 160


class Zpl(PageLanguage):
    """A page on endless paper, burnt when its format ends."""

    name = "zpl"

    def __init__(self, width: int, *, dots_per_mm: int, answers: Collection[str]) -> None:
        super().__init__(width, dots_per_mm=dots_per_mm, answers=answers, question=Query(STATUS, decode_status))

    def encode(self, picture: Bitmap) -> Ticket:
        setup = f"^XA^MNN^PON^LH0,0^LS0^LT0^PW{self.width}^LL{picture.height + self._feed_rows}"
        return self._page(
            picture,
            _graphic,
            setup=setup,
            ending=b"^PQ1^XZ",
            recovery=CANCEL_ALL,
        )


def _graphic(first: int, rows: int, dots: bytes) -> bytes:
    """Write rows as hexadecimal with repeat counts, as `^GF` reads it ("alternative data compression scheme")."""
    stride = len(dots) // rows
    above, written = b"", []
    for at in range(0, len(dots), stride):
        row = dots[at : at + stride]
        written.append(SAME_AS_ABOVE if row == above else _row(row))
        above = row
    return f"^FO0,{first}^GFA,{len(dots)},{len(dots)},{stride},{''.join(written)}^FS".encode("ascii")


def _row(dots: bytes) -> str:
    digits = dots.hex().upper()
    rest = digits.rstrip(digits[-1])
    if digits[-1] == "0":
        return _counted(rest) + ZEROS_TO_END
    if digits[-1] == "F":
        return _counted(rest) + ONES_TO_END
    return _counted(digits)


def _counted(digits: str) -> str:
    return "".join(_repeats(sum(1 for _ in group)) + digit for digit, group in groupby(digits))


def _repeats(times: int) -> str:
    """Return the letters that stand before a digit that comes `times` times; 1 needs none."""
    if times == 1:
        return ""
    most, rest = divmod(times, 400)
    twenties, ones = divmod(rest, 20)
    return _TWENTIES[-1] * most + (_TWENTIES[twenties - 1] if twenties else "") + (_ONES[ones - 1] if ones else "")


def decode_status(heard: bytes) -> PrinterStatus | None:
    """Read the answer to `~HS`: three lines, each between STX and ETX."""
    if len(heard) > _LONGEST_ANSWER or not b"\x02".startswith(heard[:1]):
        raise UndecodableMessageError("no answer to ~HS", heard)
    if heard.count(b"\x03\r\n") < _LINES:
        return None
    answer = _ANSWER.fullmatch(heard)
    if answer is None:
        raise UndecodableMessageError("no answer to ~HS", heard)
    paper_out, paused, waiting, unfinished, cold, hot, head_up, ribbon_out, to_come = map(int, answer.groups())
    found = (
        (paper_out, Condition.PAPER_OUT),
        (paused, Condition.PAUSED),
        (waiting or unfinished or to_come, Condition.BUSY),
        (cold, Condition.TOO_COLD),
        (hot, Condition.OVERHEATED),
        (head_up, Condition.COVER_OPEN),
        (ribbon_out, Condition.RIBBON_OUT),
    )
    return PrinterStatus(frozenset(condition for value, condition in found if value))
