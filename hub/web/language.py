"""Which language a browser gets, and the words of each: one catalogue serves the pages and their scripts."""

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

from fastapi import Request

DEFAULT: Final = "zh-CN"
LANGUAGES: Final = {"zh-CN": "中文", "en": "English"}
COOKIE: Final = "diwang_language"
_WORDS: Final = Path(__file__).parent / "words"


def language_of(request: Request) -> str:
    """Return the language that the reader chose, else the first that the browser prefers and we have, else Chinese."""
    chosen = request.cookies.get(COOKIE)
    if chosen in LANGUAGES:
        return chosen
    for preferred in request.headers.get("accept-language", "").split(","):
        tag = preferred.split(";")[0].strip().lower()
        for language in LANGUAGES:
            if tag and tag.split("-")[0] == language.split("-")[0].lower():
                return language
    return DEFAULT


@cache
def words(language: str) -> dict[str, Any]:
    """Return the catalogue of a language: nested groups of words, the same keys in each language."""
    catalogue: dict[str, Any] = json.loads((_WORDS / f"{language}.json").read_text(encoding="utf-8"))
    return catalogue
