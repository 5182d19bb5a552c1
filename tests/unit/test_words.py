"""The catalogue of words: the same keys in both languages, and a word for every type of anomaly."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request

import hub.anomalies
import hub.web
from hub.web.language import language_of
from hub.words.catalogue import LANGUAGES, Language, type_words, words


def keys(tree: dict[str, Any], path: str = "") -> Iterator[str]:
    for name, below in tree.items():
        if isinstance(below, dict):
            yield from keys(below, f"{path}{name}/")
        else:
            yield f"{path}{name}"


def test_both_languages_have_the_same_words() -> None:
    chinese, english = (set(keys(words(language))) for language in LANGUAGES)
    assert chinese == english


def test_placeholders_are_the_same_in_both_languages() -> None:
    def holes(language: Language) -> dict[str, set[str]]:
        def fill(tree: dict[str, Any], path: str = "") -> Iterator[tuple[str, set[str]]]:
            for name, below in tree.items():
                if isinstance(below, dict):
                    yield from fill(below, f"{path}{name}/")
                else:
                    yield f"{path}{name}", set(re.findall(r"\{(\w+)\}", below))

        return dict(fill(words(language)))

    assert holes("zh-CN") == holes("en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_type_of_anomaly_has_words(language: Language) -> None:
    source = (Path(hub.anomalies.__file__).parent / "settings.py").read_text(encoding="utf-8")
    types = set(re.findall(r'"((?:location|device|gateway)\.[a-z-]+)"', source))
    types |= {f"camera.{fault}" for fault in ("offline", "stalled", "frozen", "dark", "covered", "blurred", "moved")}
    assert len(types) > 10
    assert [kind for kind in types if type_words(kind, language) == kind] == []


def test_scripts_use_only_words_that_exist() -> None:
    known = {key.replace("/", ".") for key in keys(words("en"))}
    scripts = (Path(hub.web.__file__).parent / "static/js").glob("*.js")
    used = {
        word for script in scripts for word in re.findall(r'words\("([a-z_.]+)"', script.read_text(encoding="utf-8"))
    }
    assert used
    assert used <= known


@pytest.mark.parametrize(
    ("headers", "language"),
    [
        ({}, "zh-CN"),
        ({"accept-language": "en-GB,en;q=0.9"}, "en"),
        ({"accept-language": "fr, de"}, "zh-CN"),
        ({"accept-language": "fr, zh-TW;q=0.5, en;q=0.4"}, "zh-CN"),
        ({"accept-language": "zh", "cookie": "diwang_language=en"}, "en"),
        ({"accept-language": "en", "cookie": "diwang_language=klingon"}, "en"),
    ],
)
def test_the_reader_gets_the_language_that_is_wanted(headers: dict[str, str], language: Language) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    assert language_of(Request({"type": "http", "headers": raw})) == language
