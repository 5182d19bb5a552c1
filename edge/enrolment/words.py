"""What enrolment and reset say to the person at the box, in Chinese and English: `<language>.json` beside this file."""

import json
from functools import cache
from pathlib import Path
from typing import Final, Literal

from protocol.errors import PermanentError

Language = Literal["zh-CN", "en"]
LANGUAGES: Final[tuple[Language, ...]] = ("zh-CN", "en")


class IdentityError(PermanentError):
    """Enrolment or reset cannot go on. `code` names its words, `facts` fill them in; as text it is English."""

    def __init__(self, code: str, **facts: object) -> None:
        self.code = code
        self.facts = {name: str(value) for name, value in facts.items()}
        super().__init__(in_words("en", code, **facts))


def in_words(language: Language, code: str, **facts: object) -> str:
    """Return what a code says in a language."""
    return _catalogue(language)[code].format_map(facts)


def in_both(code: str, **facts: object) -> str:
    """Return what a code says, a line per language."""
    return "\n".join(in_words(language, code, **facts) for language in LANGUAGES)


@cache
def _catalogue(language: Language) -> dict[str, str]:
    text = (Path(__file__).parent / f"{language}.json").read_text(encoding="utf-8")
    words: dict[str, str] = json.loads(text)
    return words
