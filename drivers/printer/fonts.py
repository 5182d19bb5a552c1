"""Fonts for paper: where they are, and their characters as dots.

Characters are drawn one by one, grey, and become ink where they cover enough of a dot: the same font file gives the
same dots everywhere. What no font has becomes a box with the character's number, so that a rare name is seen to be
incomplete and can be looked up (GB 18030-2022 has characters that hardly any font draws).
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from protocol.errors import ConfigurationError

FOLDERS: Final = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path("~/.local/share/fonts"))
REGULAR: Final = ("NotoSansCJK-Regular.ttc", "NotoSansCJKsc-Regular.otf", "NotoSansSC-Regular.otf")
BOLD: Final = ("NotoSansCJK-Bold.ttc", "NotoSansCJKsc-Bold.otf", "NotoSansSC-Bold.otf")
RARE: Final = ("HanaMinA.ttf", "HanaMinB.ttf", "NotoSansSymbols2-Regular.ttf")
"""Used where they are installed, for what the first font has not: rare characters of names, and signs. Fonts of scripts
whose characters change their form with their neighbours are left out: without shaping they would print another text."""

INK_FROM: Final = 105
"""Of 255: how much of a dot a stroke must cover to burn it. Thin strokes stay whole, counters stay open."""

ASCENT: Final = 0.88
"""Of an em: how far the square of a Chinese character reaches above the base line (Noto Sans CJK)."""

_NOBODY_HAS: Final = "\uffff"
_WIDEST_EM: Final = 2
_IGNORABLE: Final = (
    *((0x00AD, 0x00AD), (0x034F, 0x034F), (0x061C, 0x061C), (0x180B, 0x180F), (0x200B, 0x200F), (0x202A, 0x202E)),
    *((0x2060, 0x206F), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xE0000, 0xE0FFF)),
)
"""Default_Ignorable_Code_Point of the Unicode Character Database, where it matters here: made to be invisible."""


@dataclass(frozen=True, slots=True)
class Glyph:
    """A character's ink, its place relative to the point on the base line where it is written, and its advance.

    `boxed` is set where no font has the character, and its number stands in its place.
    """

    ink: Image.Image | None
    left: int
    top: int
    advance: int
    boxed: bool = False


class Face:
    """One size and weight: characters as dots. Not for several threads at a time."""

    def __init__(self, files: Sequence[Path], tiny: Path, em: int) -> None:
        self.em = em
        self._tiny = tiny
        self._fonts = fonts = [_opened(path, em) for path in files]
        self._absent = [_drawn(font, _NOBODY_HAS) for font in fonts]
        self._glyphs: dict[str, Glyph] = {}

    def glyph(self, character: str) -> Glyph:
        """Return a character's dots; never fails, and is never wider than two em."""
        known = self._glyphs.get(character)
        if known is None:
            known = self._glyphs[character] = self._made(character)
        return known

    def advance(self, text: str) -> int:
        """Return the width of a text in dots."""
        return sum(self.glyph(character).advance for character in text)

    def _made(self, character: str) -> Glyph:
        if is_ignorable(character):
            return Glyph(None, 0, 0, 0)
        if unicodedata.category(character) != "Cs":  # half of a character is for no font
            for font, absent in zip(self._fonts, self._absent, strict=True):
                glyph = _drawn(font, character)
                if not _same(glyph, absent) and glyph.advance <= _WIDEST_EM * self.em:
                    return glyph
        return self._box(character)

    def _box(self, character: str) -> Glyph:
        """Draw the character's number in hexadecimal, in two lines, with a frame around it."""
        tiny = _opened(self._tiny, max(9, round(self.em * 0.42)))
        digits = f"{ord(character):04X}"
        half = (len(digits) + 1) // 2
        width, height = max(self.em, int(half * tiny.getlength("0")) + 8), self.em
        ink = Image.new("1", (width, height))
        draw = ImageDraw.Draw(ink)
        draw.fontmode = "1"
        draw.rectangle((1, 0, width - 2, height - 1), outline=1)
        for line, part in enumerate((digits[:half], digits[half:])):
            draw.text((width / 2, 1 + (height - 2) * (1 + 2 * line) / 4), part, fill=1, font=tiny, anchor="mm")
        return Glyph(ink, 0, -round(ASCENT * self.em), width, boxed=True)


@dataclass(frozen=True, slots=True)
class Fonts:
    """The files of a regular and a bold font, and of others that have rare characters."""

    regular: Path
    bold: Path
    rare: tuple[Path, ...] = ()

    def face(self, em: int, *, bold: bool = False) -> Face:
        """Open the face of `em` dots; it keeps its files mapped into memory, some megabytes, as long as it is held.

        Raises ConfigurationError for a file that is no font, or has no mainland Chinese.
        """
        return Face((self.bold if bold else self.regular, *self.rare), self.regular, em)


def find_fonts(folder: Path | None = None) -> Fonts:
    """Look for Noto Sans CJK in `folder`, or else in the usual ones. Reads the disk.

    Raises ConfigurationError, which says what to install, when there is none.
    """
    folders = [folder] if folder else [each.expanduser() for each in FOLDERS]
    installed = {path.name: path for each in reversed(folders) if each.is_dir() for path in each.rglob("*.[to]t[fc]")}
    regular, bold = _first(REGULAR, installed), _first(BOLD, installed)
    if regular is None or bold is None:
        raise ConfigurationError(
            f"no {REGULAR[0]} and {BOLD[0]} in {', '.join(map(str, folders))}: install the package fonts-noto-cjk "
            "(apt install fonts-noto-cjk), or name the folder that has them in `fonts`"
        )
    return Fonts(regular, bold, tuple(installed[name] for name in RARE if name in installed))


def is_ignorable(character: str) -> bool:
    """Tell whether a character is made to be invisible, such as a variation selector or a zero-width joiner."""
    number = ord(character)
    return any(first <= number <= last for first, last in _IGNORABLE)


def _first(names: Iterable[str], installed: dict[str, Path]) -> Path | None:
    return next((installed[name] for name in names if name in installed), None)


def _opened(path: Path, em: int) -> ImageFont.FreeTypeFont:
    try:
        return ImageFont.FreeTypeFont(str(path), em, index=_face_of(path), layout_engine=ImageFont.Layout.BASIC)
    except OSError as error:
        raise ConfigurationError(f"{path} is no font: {error}") from error


@cache
def _face_of(path: Path) -> int:
    """Return the number of the face for mainland Chinese, where a file has several."""
    if path.suffix != ".ttc":
        return 0
    for number in range(5):
        name, _ = ImageFont.FreeTypeFont(str(path), index=number, layout_engine=ImageFont.Layout.BASIC).getname()
        if (name or "").endswith(" SC"):
            return number
    raise ConfigurationError(f"{path} has no face for mainland Chinese")


def _drawn(font: ImageFont.FreeTypeFont, character: str) -> Glyph:
    left, top, right, bottom = (round(edge) for edge in font.getbbox(character, anchor="ls"))
    advance = max(0, round(font.getlength(character)))
    if right <= left or bottom <= top:
        return Glyph(None, 0, 0, advance)
    grey = Image.new("L", (right - left, bottom - top))
    ImageDraw.Draw(grey).text((-left, -top), character, fill=255, font=font, anchor="ls")
    return Glyph(grey.point(_INK, mode="1"), left, top, advance)


def _same(one: Glyph, other: Glyph) -> bool:
    if one.ink is None or other.ink is None or one.advance != other.advance or one.ink.size != other.ink.size:
        return False
    return one.ink.tobytes() == other.ink.tobytes()


_INK: Final = [0] * INK_FROM + [255] * (256 - INK_FROM)
