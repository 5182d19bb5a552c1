"""How a document looks on paper: sizes, places, lines. The same document, width and fonts give the same dots.

Measures are in dots of a head with 8 dots per millimetre (203 dpi) and grow with finer heads. Text is 3 mm high, which
the eye reads at arm's length and a worn head still prints; the verdict that matters, "not conform", is white on black.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from PIL import Image, ImageDraw

from drivers.printer import raster
from drivers.printer.breaking import balanced, broken
from drivers.printer.contract import Bitmap
from drivers.printer.fonts import ASCENT, Face, Fonts
from drivers.printer.qr import qr_code
from drivers.printer.raster import Strip
from drivers.printer.tabulating import widths
from protocol.documents import (
    Align,
    Block,
    Check,
    Checklist,
    Document,
    Paragraph,
    Qr,
    Rule,
    Signature,
    Size,
    Spacer,
    Table,
    Title,
    Verdict,
)
from protocol.errors import DeviceRefusedError

NARROWEST_MM: Final = 48
"""What a head for paper of 58 mm prints; six columns of two characters each fit."""
LONGEST_MM: Final = 3_000

_EM: Final = {Size.SMALL: 20, Size.NORMAL: 24, Size.LARGE: 32}
_TITLE: Final = {1: (38, 32), 2: (28,)}
"""Per level, the largest first: a title that just does not fit is set smaller rather than broken."""
_LEADING: Final = 1.36
_WORDS: Final = {
    "zh": {
        Verdict.CONFORM: "符合",
        Verdict.NOT_CONFORM: "不符合",
        Verdict.NOT_APPLICABLE: "不适用",
        "article": "依据：",
        "note": "说明：",
        "log": "监管日志",
    },
    "en": {
        Verdict.CONFORM: "pass",
        Verdict.NOT_CONFORM: "FAIL",
        Verdict.NOT_APPLICABLE: "n/a",
        "article": "Under: ",
        "note": "Note: ",
        "log": "Log",
    },
}


@dataclass(frozen=True, slots=True)
class Sheet:
    """A document as dots, and how often each character is on it that no font has: a box stands in its place."""

    picture: Bitmap
    boxed: dict[str, int]


def lay_out(document: Document, fonts: Fonts, *, width: int, dots_per_mm: int = 8) -> Sheet:
    """Return a document as a picture of `width` dots, a multiple of 8 and at least NARROWEST_MM.

    Takes about a tenth of a second of processor time, and some 30 MB while it lasts. Raises DeviceRefusedError for a
    document longer than LONGEST_MM, a signature that cannot be read, and a QR code too fine for this paper.
    """
    if width % 8 or width < NARROWEST_MM * dots_per_mm:
        raise ValueError(f"paper of {width} dots; it must be a multiple of 8 and at least {NARROWEST_MM} mm")
    setter = _Setter(fonts, width, dots_per_mm, document.language)
    column: list[Strip] = []
    for block in document.blocks:
        column += setter.block(block)
        if raster.height_of(column) > LONGEST_MM * dots_per_mm:
            raise DeviceRefusedError(f"the document is longer than {LONGEST_MM} mm of paper")
    if document.log is not None:
        column += setter.log(document.log)
    return Sheet(raster.bitmap_of(raster.stacked(width, column)), dict(setter.boxed))


@dataclass(slots=True)
class _Setter:
    """Sets block after block, and remembers what no font has."""

    fonts: Fonts
    width: int
    dots_per_mm: int
    language: str
    boxed: Counter[str] = field(default_factory=Counter)
    faces: dict[tuple[int, bool], Face] = field(default_factory=dict)

    def block(self, block: Block) -> Iterator[Strip]:  # noqa: PLR0911 - one for each kind of block
        match block:
            case Title():
                return self._title(block)
            case Paragraph():
                return self._paragraph(block)
            case Table():
                return self._table(block)
            case Checklist():
                return self._checklist(block)
            case Qr():
                return self._qr(block)
            case Signature():
                return self._signature(block)
            case Rule():
                return self._rule(block)
            case Spacer():
                return iter((block.millimetres * self.dots_per_mm,))

    def log(self, log: str) -> Iterator[Strip]:
        """Name the supervision log under everything else, so that paper and log find each other."""
        yield self._dots(4)
        yield self._text(f"{self._word('log')} {log}", self._face(_EM[Size.SMALL]), self.width, Align.CENTRE)

    def _title(self, title: Title) -> Iterator[Strip]:
        faces = [self._face(em, bold=True) for em in _TITLE[title.level]]
        face = next((face for face in faces if face.advance(title.text) <= self.width), faces[0])
        if title.level == 1:
            yield self._dots(6)
            text = "\n".join(balanced(title.text, self.width, face.advance))
            yield self._text(text, face, self.width, Align.CENTRE)
            yield self._dots(10)
        else:
            yield self._dots(14)
            yield self._text(title.text, face, self.width)
            yield self._line(2)
            yield self._dots(8)

    def _paragraph(self, paragraph: Paragraph) -> Iterator[Strip]:
        face = self._face(_EM[paragraph.size], bold=paragraph.bold)
        yield self._text(paragraph.text, face, self.width, paragraph.align)
        yield self._dots(8)

    def _table(self, table: Table) -> Iterator[Strip]:
        face, heavy, gap = self._face(_EM[Size.NORMAL]), self._face(_EM[Size.NORMAL], bold=True), self._dots(12)
        ruled = any(column.heading for column in table.columns)
        room = self.width - gap * (len(table.columns) - 1)
        across = widths(table, room, lambda text: max(face.advance(text), heavy.advance(text)), 2 * face.em)
        starts = [sum(across[:number]) + number * gap for number in range(len(across))]
        rows = [tuple(column.heading for column in table.columns)] if ruled else []
        for number, row in enumerate([*rows, *table.rows]):
            heading = ruled and number == 0
            cells = [
                (start, self._text(cell, heavy if heading else face, wide, column.align))
                for start, cell, wide, column in zip(starts, row, across, table.columns, strict=True)
            ]
            yield raster.beside(self.width, cells)
            yield self._line(2) if heading else self._dots(2)
            yield self._dots(4)
        if ruled:
            yield self._line(2)
        yield self._dots(6)

    def _checklist(self, checklist: Checklist) -> Iterator[Strip]:
        face, gap = self._face(_EM[Size.NORMAL]), self._dots(8)
        badges = {verdict: self._badge(verdict) for verdict in Verdict}
        badge_at = self.width - max(badge.width for badge in badges.values())
        marks = [self._mark(check) for check in checklist.items]
        text_at = min(max(face.advance(mark) for mark in marks), self.width // 4)
        text_at += gap if text_at else 0
        for number, (check, mark) in enumerate(zip(checklist.items, marks, strict=True)):
            if number:
                yield self._line(1, dash=self._dots(3))
                yield self._dots(5)
            wide = badge_at - gap - text_at
            badge, item = badges[check.verdict], self._text(check.item, face, wide)
            left = [(0, self._text(mark, face, text_at - gap))] if text_at else []
            yield raster.beside(self.width, [*left, (text_at, item), (self.width - badge.width, badge)])
            for text in self._grounds(check, self.width - text_at):
                yield raster.beside(self.width, [(text_at, text)])
            yield self._dots(5)
        yield self._dots(6)

    def _grounds(self, check: Check, width: int) -> Iterator[Image.Image]:
        face = self._face(_EM[Size.SMALL])
        for word, text in (("article", check.article), ("note", check.note)):
            if text:
                yield self._text(self._word(word) + text, face, width)

    def _mark(self, check: Check) -> str:
        return ("★" if check.key else "") + check.number

    def _badge(self, verdict: Verdict) -> Image.Image:
        """Draw a verdict; the one that has consequences is white on black."""
        alarming = verdict is Verdict.NOT_CONFORM
        face = self._face(_EM[Size.NORMAL], bold=alarming)
        word, pad = self._word(verdict), self._dots(4)
        badge = raster.blank(face.advance(word) + 2 * pad, self._row(face))
        if alarming:
            badge = raster.filled(badge.width, badge.height)
        raster.write(badge, face, word, pad, self._base(face), ink=0 if alarming else 1)
        return badge

    def _qr(self, qr: Qr) -> Iterator[Strip]:
        code = qr_code(qr.text, widest=min(self.width, 48 * self.dots_per_mm), dots_per_mm=self.dots_per_mm)
        yield raster.beside(self.width, [((self.width - code.width) // 2, code)])
        if qr.caption:
            yield self._text(qr.caption, self._face(_EM[Size.SMALL]), self.width, Align.CENTRE)
            yield self._dots(6)

    def _signature(self, signature: Signature) -> Iterator[Strip]:
        """Put the signature beside its label, on a line; below it when the label is long."""
        face, room = self._face(_EM[Size.NORMAL]), self._dots(88)
        label = self._text(signature.label, face, min(self.width, face.advance(signature.label) or 1))
        beside = label.width <= self.width * 9 // 20
        start = label.width + self._dots(10) if beside else 0
        wide, line = self.width - start, self._dots(2)
        area = raster.blank(wide, room + line)
        area.paste(1, (0, room, wide, room + line))
        if signature.image is not None:
            drawn = raster.drawn_signature(signature.image, wide - self._dots(16), room - self._dots(4))
            area.paste(drawn, ((wide - drawn.width) // 2, room - drawn.height))
        if beside:
            low = raster.stacked(label.width, [max(0, area.height - label.height), label])
            yield raster.beside(self.width, [(0, low), (start, area)])
        else:
            yield label
            yield area
        yield self._dots(10)

    def _rule(self, rule: Rule) -> Iterator[Strip]:
        yield self._dots(4)
        yield self._line(2, dash=self._dots(6) if rule.dashed else None)
        yield self._dots(8)

    def _text(self, text: str, face: Face, width: int, align: Align = Align.LEFT) -> Image.Image:
        lines = broken(text, width, face.advance)
        row = self._row(face)
        canvas = raster.blank(max(1, width), row * len(lines))
        for number, line in enumerate(lines):
            free = max(0, width - face.advance(line))
            x = {Align.LEFT: 0, Align.CENTRE: free // 2, Align.RIGHT: free}[align]
            self.boxed += raster.write(canvas, face, line, x, number * row + self._base(face))
        return canvas

    def _line(self, thick: int, *, dash: int | None = None) -> Image.Image:
        thick = self._dots(thick)
        canvas = raster.blank(self.width, thick)
        ends = range(0, self.width + 1, dash) if dash else (0, self.width)
        for number, (start, end) in enumerate(pairwise(ends)):
            if number % 2 == 0:
                ImageDraw.Draw(canvas).rectangle((start, 0, end - 1, thick - 1), fill=1)
        return canvas

    def _face(self, em: int, *, bold: bool = False) -> Face:
        if (em, bold) not in self.faces:
            self.faces[em, bold] = self.fonts.face(self._dots(em), bold=bold)
        return self.faces[em, bold]

    def _dots(self, at_8_dots_per_mm: int) -> int:
        return round(at_8_dots_per_mm * self.dots_per_mm / 8)

    def _word(self, key: Verdict | str) -> str:
        return _WORDS[self.language][key]

    @staticmethod
    def _row(face: Face) -> int:
        return round(_LEADING * face.em)

    @staticmethod
    def _base(face: Face) -> int:
        return round((_LEADING - 1) / 2 * face.em + ASCENT * face.em)
