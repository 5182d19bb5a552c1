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


def described(kind: str, measure: str, language: Language = DEFAULT) -> str:
    """Return what people call a type of anomaly, with its measure where it has one: 离开责任网格（148 m）."""
    what = type_words(kind, language)
    if not measure:
        return what
    return f"{what}（{measure}）" if language == "zh-CN" else f"{what} ({measure})"


def type_words(kind: str, language: Language) -> str:
    """Return what people call a type of anomaly (`camera.covered`); an unknown type is called by its name."""
    return str(words(language)["type"].get(kind, kind))
