"""What the search for cameras says, in Chinese and English: `<language>.json` beside this file."""

import json
from functools import cache
from pathlib import Path
from typing import Final

LANGUAGES: Final = ("zh-CN", "en")


def in_words(language: str, code: str, **facts: object) -> str:
    """Return what a code says in a language."""
    return catalogue(language)[code].format_map(facts)


@cache
def catalogue(language: str) -> dict[str, str]:
    """Return all words of a language."""
    words: dict[str, str] = json.loads((Path(__file__).parent / f"{language}.json").read_text(encoding="utf-8"))
    return words
