"""The catalogue of words, `<language>.json` beside this file: nested groups, the same keys in each language."""

import json
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

Language = Literal["zh-CN", "en"]

DEFAULT: Final[Language] = "zh-CN"
LANGUAGES: Final[dict[Language, str]] = {"zh-CN": "中文", "en": "English"}


@cache
def words(language: Language) -> dict[str, Any]:
    """Return the whole catalogue of a language."""
    text = (Path(__file__).parent / f"{language}.json").read_text(encoding="utf-8")
    catalogue: dict[str, Any] = json.loads(text)
    return catalogue


def type_words(kind: str, language: Language) -> str:
    """Return what people call a type of anomaly (`camera.covered`); an unknown type is called by its name."""
    return str(words(language)["type"].get(kind, kind))
