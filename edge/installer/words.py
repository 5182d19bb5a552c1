"""What the installer says, in Chinese and English: `<language>.json` beside this file."""

import json
from functools import cache
from pathlib import Path
from typing import Final, Literal

Language = Literal["zh-CN", "en"]
LANGUAGES: Final[tuple[Language, ...]] = ("zh-CN", "en")


def in_words(language: Language, code: str, **facts: object) -> str:
    """Return what a code says in a language."""
    return catalogue(language)[code].format_map(facts)


@cache
def catalogue(language: Language) -> dict[str, str]:
    """Return all words of a language."""
    text = (Path(__file__).parent / f"{language}.json").read_text(encoding="utf-8")
    words: dict[str, str] = json.loads(text)
    return words
