"""Which language a browser gets."""

from typing import Final

from fastapi import Request

from hub.words.catalogue import DEFAULT, LANGUAGES, Language

COOKIE: Final = "diwang_language"


def known_language(tag: str) -> Language | None:
    """Return the language of a tag such as `en-GB`, None when there are no words for it."""
    primary = tag.strip().split("-")[0].lower()
    return next((each for each in LANGUAGES if primary and primary == each.split("-")[0].lower()), None)


def language_of(request: Request) -> Language:
    """Return the language that the reader chose, else the first that the browser prefers and we have, else Chinese."""
    wanted = [request.cookies.get(COOKIE, "")]
    wanted += [each.split(";")[0] for each in request.headers.get("accept-language", "").split(",")]
    return next((language for tag in wanted if (language := known_language(tag))), DEFAULT)
