"""Where lines of Chinese, English and both end.

The rules are those of "Requirements for Chinese Text Layout" (W3C CLREQ, line composition) and of GB/T 15834-2011,
5.1: closing punctuation does not begin a line, opening punctuation does not end one, a dash or an ellipsis of two
characters is not divided; and words and numbers stay whole when they fit into a line.
"""

import unicodedata
from collections.abc import Callable, Iterator
from typing import Final

from drivers.printer.fonts import is_ignorable

NOT_FIRST: Final = frozenset(
    "，。、；：？！）》」』】〕〗〉”’～·．％‰℃°′″㎡㎥￠!),.:;?]}%>/"
    "︰︱︳﹐﹑﹒﹔﹕﹖﹗﹚﹜﹞～々〻ーぁぃぅぇぉっゃゅょゎ"
)
"""What may not begin a line: closing punctuation, and units that belong to the number before them."""
NOT_LAST: Final = frozenset("（《「『【〔〖〈“‘([{<$￥¥£€№＃#＠@§")
"""What may not end a line: opening punctuation, and signs that belong to the number after them."""
_TOGETHER: Final = frozenset("—…‥─")
_GLUE: Final = frozenset("\u00a0\u202f\u2060")


def broken(text: str, width: int, advance: Callable[[str], int]) -> list[str]:
    """Return a text as lines that are not wider than `width`, one at least.

    `advance` gives the width of a text in the same unit, none of whose characters may be wider than `width`. A line
    feed ends a line; blanks at the end of a line are left out, nothing else is.
    """
    return [line for paragraph in text.split("\n") for line in _filled(paragraph, width, advance)]


def balanced(text: str, width: int, advance: Callable[[str], int]) -> list[str]:
    """Return a text as no more lines than `broken` makes of it, as even as they can be: for titles."""
    lines = broken(text, width, advance)
    narrow, wide = max(map(advance, text), default=0), width
    while narrow < wide:
        middle = (narrow + wide) // 2
        if len(broken(text, middle, advance)) > len(lines):
            narrow = middle + 1
        else:
            wide = middle
    return broken(text, wide, advance)


def _filled(paragraph: str, width: int, advance: Callable[[str], int]) -> Iterator[str]:
    line, used = "", 0
    for atom in _atoms(paragraph):
        inked = advance(atom.rstrip())
        if line and used + inked > width:
            yield line.rstrip()
            line, used = "", 0
        if inked <= width:
            line, used = line + atom, used + advance(atom)
            continue
        for character in atom:  # longer than a whole line: it must be divided somewhere
            step = advance(character)
            if line and used + step > width and not character.isspace():
                yield line.rstrip()
                line, used = "", 0
            line, used = line + character, used + step
    yield line.rstrip()


def _atoms(paragraph: str) -> Iterator[str]:
    """Yield what must stay on one line, with the blanks after it."""
    atom = ""
    for character in paragraph:
        if atom and _may_part(atom[-1], character):
            yield atom
            atom = ""
        atom += character
    if atom:
        yield atom


def _may_part(before: str, after: str) -> bool:
    """Tell whether a line may end between two neighbours."""
    if before in _GLUE or after in _GLUE or _adheres(after):
        return False
    if after.isspace():
        return False
    if after in NOT_FIRST or before in NOT_LAST or (before in _TOGETHER and after == before):
        return False
    if before.isspace():
        return True
    return _stands_alone(before) or _stands_alone(after)


def _adheres(character: str) -> bool:
    return unicodedata.category(character) in {"Mn", "Me", "Mc"} or is_ignorable(character)


def _stands_alone(character: str) -> bool:
    """Tell whether a character is a word by itself, as Chinese characters and their punctuation are."""
    return unicodedata.east_asian_width(character) in {"W", "F"} or character in NOT_FIRST - frozenset(".:,/-%")
