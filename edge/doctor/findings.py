"""What an examination finds, and the words for it, in Chinese and English."""

import json
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

Language = Literal["zh-CN", "en"]
LANGUAGES: Final[tuple[Language, ...]] = ("zh-CN", "en")


class Verdict(StrEnum):
    """How bad it is: `wrong` needs somebody now, `watch` will need somebody, `fine` does not."""

    FINE = "fine"
    WATCH = "watch"
    WRONG = "wrong"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at. `code` names its words, `facts` fill them in."""

    code: str
    verdict: Verdict
    facts: dict[str, str] = {}


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """A finding for a person: what is the case, and what to do about it (empty when there is nothing to do)."""

    what: str
    remedy: str


def fine(code: str, **facts: object) -> Finding:
    """Return a finding that all is well."""
    return _finding(code, Verdict.FINE, facts)


def watch(code: str, **facts: object) -> Finding:
    """Return a finding that is to be kept in mind."""
    return _finding(code, Verdict.WATCH, facts)


def wrong(code: str, **facts: object) -> Finding:
    """Return a finding that somebody must act on."""
    return _finding(code, Verdict.WRONG, facts)


def in_words(finding: Finding, language: Language) -> Words:
    """Put a finding into words."""
    words = catalogue(language)["findings"][finding.code]
    remedy = words.get("remedy", "")
    if finding.code == "device_unwell":
        families = catalogue(language)["families"]
        remedy = families.get(finding.facts["driver"].partition(".")[0], families["other"])
    return Words(what=words["what"].format_map(finding.facts), remedy=remedy.format_map(finding.facts))


@cache
def catalogue(language: Language) -> dict[str, Any]:
    """Return all words of a language."""
    text = (Path(__file__).parent / f"{language}.json").read_text(encoding="utf-8")
    words: dict[str, Any] = json.loads(text)
    return words


def _finding(code: str, verdict: Verdict, facts: Mapping[str, object]) -> Finding:
    return Finding(code=code, verdict=verdict, facts={name: str(value) for name, value in facts.items()})
